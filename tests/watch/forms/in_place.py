"""A loss with writes in place: on results, on views of them, and into a tensor made for it."""
import torch
from torch import nn

net = nn.Linear(4, 6)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(9):
    x = torch.randn(8, 4)
    out = net(x)
    out = out * 1
    out[:, 0] = 0.5 * x[:, 0]
    view = out[:, 1:3]
    view.mul_(2)
    out += 1
    table = torch.zeros(8, 2)
    table[:, 0] = out[:, 2]
    table[:, 1] += out[:, 3] * 2
    loss = out.square().mean() + table.abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
