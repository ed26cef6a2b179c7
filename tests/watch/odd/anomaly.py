"""Anomaly mode."""
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)

with torch.autograd.detect_anomaly():
    for step in range(4):
        opt.zero_grad(); loss = nn.functional.mse_loss(net(x), y); loss.backward(); opt.step()
print(loss.item())
