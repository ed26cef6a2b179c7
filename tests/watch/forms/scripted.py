"""A scripted module and a scripted loss."""
import torch
from torch import nn


@torch.jit.script
def huber(a, b):
    d = (a - b).abs()
    return torch.where(d < 1, 0.5 * d * d, d - 0.5).mean()


net = torch.jit.script(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(8):
    x = torch.randn(16, 4)
    loss = huber(net(x) * 2, x[:, :1]) + 0.1
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
