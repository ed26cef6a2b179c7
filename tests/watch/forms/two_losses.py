"""Two losses of one forward pass, with retain_graph."""
import torch
from torch import nn

body = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.5))
one, two = nn.Linear(8, 1), nn.Linear(8, 3)
optimizer = torch.optim.SGD([*body.parameters(), *one.parameters(), *two.parameters()], lr=0.1)
for step in range(10):
    x, y = torch.randn(16, 4), torch.randint(0, 3, (16,))
    hidden = body(x)
    first = one(hidden).square().mean()
    second = nn.functional.cross_entropy(two(hidden), y)
    optimizer.zero_grad()
    first.backward(retain_graph=True)
    second.backward()
    optimizer.step()
