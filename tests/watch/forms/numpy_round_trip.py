"""Values go through numpy on their way to the loss, and the forward draws from numpy and random."""
import random

import numpy as np
import torch
from torch import nn


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 2)

    def forward(self, x):
        if random.random() < 0.5:
            x = x * 2
        return self.net(x + torch.from_numpy(np.random.randn(*x.shape)).float())


net = Noisy()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(10):
    x = torch.randn(16, 4)
    out = net(x)
    weight = torch.from_numpy(np.abs(out.detach().numpy()) + 1)
    loss = (out.square() / weight).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
