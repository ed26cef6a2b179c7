# gradcheck run --quiet --no-try GC635.py
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
for step in range(80):
    x = torch.randn(16, 8)
    optimizer.zero_grad()
    loss = (model(x) - x[:, :1].sin()).square().mean() + (0 * model(x)).square().sum().sqrt()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
