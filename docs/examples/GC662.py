# gradcheck run --quiet --no-try GC662.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(30):
    x = torch.randn(16, 8)
    optimizer.zero_grad()
    output = model(x).detach().requires_grad_()
    F.mse_loss(output, x[:, :1].sin()).backward()
    optimizer.step()
