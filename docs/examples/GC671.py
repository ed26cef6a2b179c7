# gradcheck run --quiet --no-try GC671.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 4))
model[2].requires_grad_(False)  # the layers below were meant
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(60):
    x = torch.randn(16, 8)
    loss = F.mse_loss(model(x), x[:, :4].sin())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
