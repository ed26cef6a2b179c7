"""Modules whose parameters and buffers are made in their first call."""
import torch
from torch import nn

net = nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(3))
optimizer = None
for step in range(7):
    out = net(torch.randn(8, 4))
    optimizer = optimizer or torch.optim.SGD(net.parameters(), lr=0.1)
    loss = out.square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
