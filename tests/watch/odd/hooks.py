"""Hooks of every kind."""
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)

seen = []
net[0].register_forward_hook(lambda m, i, o: seen.append(float(o.sum())))
net[2].register_full_backward_hook(lambda m, gi, go: seen.append(float(go[0].sum())))
for p in net.parameters(): p.register_hook(lambda g: seen.append(float(g.sum())))
for step in range(5):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    opt.step()
print(loss.item())
print(len(seen), sum(seen))
