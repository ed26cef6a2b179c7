"""bfloat16 autocast: one model called twice in one region, a loss outside of it."""
import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 3))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(9):
    x, y = torch.randn(16, 4), torch.randint(0, 3, (16,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        one = net(x)
        two = net(-x)
        mixed = one @ two.t()
    loss = nn.functional.cross_entropy(one.float(), y) + mixed.float().pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
