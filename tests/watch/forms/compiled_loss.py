"""A compiled function as the loss."""
import torch
from torch import nn

net = nn.Linear(4, 2)


@torch.compile(backend="eager")
def loss_of(out, y):
    return nn.functional.cross_entropy(out * 2, y)


optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(7):
    x, y = torch.randn(16, 4), torch.randint(0, 2, (16,))
    loss = loss_of(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
