"""Copies and pickles of models and optimisers, an average of weights."""
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)

import copy, pickle
ema = copy.deepcopy(net)
for step in range(5):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    opt.step()
    copy.deepcopy(opt)
    pickle.loads(pickle.dumps(net))
    pickle.loads(pickle.dumps(opt))
    with torch.no_grad():
        for a, b in zip(ema.parameters(), net.parameters()): a.lerp_(b, 0.1)
print(loss.item(), ema(x).sum().item())
