"""Gradients that are never cleared."""
import torch
from torch import nn

net = nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(9):
    loss = (net(torch.randn(8, 4)) - 1).square().mean()
    loss.backward()
    optimizer.step()
