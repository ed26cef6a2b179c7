# gradcheck run --quiet --no-try --every 1 GC644.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
centres = torch.randn(4, 8)
model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for step in range(300):
    y = torch.arange(32) % 4
    x = centres[y] + torch.randn(32, 8)
    x += 5 * step  # a clock in every column
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
