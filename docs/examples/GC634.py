# gradcheck run --quiet --no-try GC634.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
for step in range(130):
    x = torch.randn(16, 8)
    optimizer.zero_grad()
    loss = F.mse_loss(model(x), x[:, :1].sin())
    if step > 100:
        loss = loss / (loss.detach() * 0)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
