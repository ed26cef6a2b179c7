# gradcheck run --quiet --no-try --every 1 GC636.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.03, betas=(0.9, 0.9999))
for step in range(300):
    x = torch.randn(16, 8)
    weight = 1.0 if step < 30 or step >= 150 else 0.0  # silent in between
    loss = F.mse_loss(model(x), x[:, :1].sin() + 0.1 * torch.randn(16, 1)) * (weight or 1e-4)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
