# gradcheck run --quiet --no-try GC672.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: max(0.0, 1 - epoch / 5))
for step in range(60):
    x = torch.randn(16, 8)
    optimizer.zero_grad()
    loss = F.mse_loss(model(x), x[:, :1].sin())
    loss.backward()
    optimizer.step()
    scheduler.step()  # at every batch; it counts epochs
