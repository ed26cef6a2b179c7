# gradcheck run --quiet --no-try GC666.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
for step in range(30):
    x = torch.randn(16, 8)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss = F.mse_loss(model(x), x[:, :1].sin())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
