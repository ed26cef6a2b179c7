"""Models that are deleted, and rebuilt, and changed."""
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)

import gc, weakref
ref = None
for step in range(6):
    if step % 2 == 0:
        del net, opt
        gc.collect()
        if ref is not None: print(ref() is None)
        net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        ref = weakref.ref(net)
        opt = torch.optim.SGD(net.parameters(), lr=0.05)
    if step == 3:
        del net[1]
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    opt.step()
print(loss.item())
