"""Batches from a generator, random functions on them."""
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)

def batches():
    while True:
        yield torch.randn(8, 4)
g = batches()
for step in range(5):
    a = next(g)
    opt.zero_grad(); loss = (net(nn.functional.dropout(a)).square().mean()); loss.backward(); opt.step()
print(loss.item(), torch.rand(3))
