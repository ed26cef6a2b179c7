"""Weights that are computed from others, once for all calls of a step."""
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
parametrizations.weight_norm(net[0])
parametrizations.orthogonal(net[2])
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(7):
    with parametrize.cached():
        x = torch.randn(8, 4)
        loss = net(x).square().mean() + net(-x).abs().mean()
        optimizer.zero_grad()
        loss.backward()
    optimizer.step()
