# gradcheck run --quiet --no-try GC681.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(60):
    x = torch.randn(16, 8)
    optimizer.zero_grad()
    one, two = (model(x + 0.1 * torch.randn(16, 8)) for _ in range(2))
    loss = F.mse_loss(one, two)  # 0 where all codes are alike
    loss.backward()
    optimizer.step()
