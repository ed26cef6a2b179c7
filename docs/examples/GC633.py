# gradcheck run --quiet --no-try GC633.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=1.2)
for step in range(60):
    x = torch.randn(16, 8)
    x = 3 * x
    optimizer.zero_grad()
    loss = F.mse_loss(model(x), x[:, :1].sin())
    loss.backward()
    optimizer.step()
