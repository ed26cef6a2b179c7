"""Checkpointed blocks of both kinds, with dropout."""
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.one = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.3), nn.Tanh())
        self.two = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.3), nn.Tanh())

    def forward(self, x):
        x = checkpoint(self.one, self.first(x), use_reentrant=False)
        return checkpoint(self.two, x, use_reentrant=True)


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(7):
    x = torch.randn(8, 4)
    loss = net(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
