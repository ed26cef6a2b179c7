# gradcheck run --quiet --no-try GC677.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 8))
scale = nn.Parameter(torch.ones(8))
optimizer = torch.optim.SGD([*model.parameters(), scale], lr=0.05)
for step in range(30):
    x = torch.randn(16, 8)
    optimizer.zero_grad()
    output = model(x)
    loss = F.mse_loss(scale * x, x.sin())  # of x, where output was meant
    loss.backward()
    optimizer.step()
