"""A script that patches nn.Module.__call__, and takes the patch away again."""
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)
original = nn.Module.__call__


def scaled(self, *args, **kwargs):
    return original(self, *args, **kwargs) * 1.5


for step in range(10):
    nn.Module.__call__ = scaled if step < 5 else original
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    opt.step()
    print(loss.item())
