# gradcheck run --quiet --no-try --every 1 GC642.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)  # for inputs of 1, and not of 30
for step in range(300):
    x = torch.randn(16, 8)
    loss = F.mse_loss(model(30 * x), x[:, :1].sin())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
