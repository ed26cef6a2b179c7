# gradcheck run --quiet --no-try GC642.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=5.0)
for step in range(300):
    x = torch.randn(16, 8)
    loss = F.mse_loss(model(x), x[:, :1].sin())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
