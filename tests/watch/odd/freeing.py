"""Activations that are gone once they are deleted."""
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)

import gc, weakref
for step in range(4):
    a = torch.randn(16, 4); r = weakref.ref(a)
    out = net(a); ro = weakref.ref(out)
    loss = nn.functional.mse_loss(out, y)
    opt.zero_grad(); loss.backward(); opt.step()
    del out, loss
    print(ro() is None)
