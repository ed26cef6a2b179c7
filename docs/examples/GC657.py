# gradcheck run --quiet --no-try GC657.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
parameters = model.parameters()  # which can be read once
optimizer = torch.optim.SGD(parameters, lr=0.05)
for step in range(30):
    x = torch.randn(16, 8)
    optimizer.zero_grad()
    loss = F.mse_loss(model(x), x[:, :1].sin())
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
