"""FGSM: a gradient of the input, then the step on the moved input."""
import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(8):
    x, y = torch.randn(8, 4).requires_grad_(), torch.randint(0, 2, (8,))
    nn.functional.cross_entropy(net(x), y).backward()
    moved = (x + 0.1 * x.grad.sign()).detach()
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(moved), y)
    loss.backward()
    optimizer.step()
