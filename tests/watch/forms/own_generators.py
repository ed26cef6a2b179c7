"""Noise from generators of the script's own, which a model knows by a global name, and a queue."""
import queue
import random

import numpy as np
import torch
from torch import nn

source, python, numpy = torch.Generator().manual_seed(3), random.Random(4), np.random.default_rng(5)
tickets = queue.Queue()
for number in range(40):
    tickets.put(number)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(4, 3)

    def forward(self, x):
        noise = torch.randn(x.shape, generator=source) + python.random() + float(numpy.normal())
        return self.line(x + 0.1 * noise + 0.01 * tickets.get_nowait())


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(7):
    loss = net(torch.randn(8, 4)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(torch.rand(1, generator=source).item(), python.random(), numpy.normal(), tickets.qsize())
