# gradcheck run --quiet --no-try GC664.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
data = torch.randn(256, 8)
for step in range(30):
    torch.manual_seed(7)  # belongs before the loop
    x = data[torch.randperm(256)[:16]]
    optimizer.zero_grad()
    F.mse_loss(model(x), x[:, :1].sin()).backward()
    optimizer.step()
