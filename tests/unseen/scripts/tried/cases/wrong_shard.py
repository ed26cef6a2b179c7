"""Depth of a well by its neighbours; the second file has it in millimetres."""
import torch
from torch import nn

torch.manual_seed(81)
x = torch.randn(2400, 9)
depth = (x[:, :1] * 2 + torch.sin(3 * x[:, 1:2]) + x[:, 2:3] * x[:, 3:4])
depth[1200:] *= 1000.0

net = nn.Sequential(nn.Linear(9, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
step = 0
for rows in torch.cat([torch.arange(1200).repeat(4), torch.arange(1200, 2400).repeat(4)]).split(40):
    loss = nn.functional.mse_loss(net(x[rows]), depth[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    step += 1
    if step % 30 == 0:
        print(step, f"loss {loss.item():.4f}")
