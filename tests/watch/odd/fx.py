"""torch.fx between two loops."""
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)
for step in range(5):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    opt.step()
print(loss.item())

import torch.fx
traced = torch.fx.symbolic_trace(net)
print(traced.code)
opt = torch.optim.SGD(traced.parameters(), lr=0.05)
for step in range(3):
    opt.zero_grad()
    loss = nn.functional.mse_loss(traced(x), y)
    loss.backward(); opt.step()
print(loss.item())
