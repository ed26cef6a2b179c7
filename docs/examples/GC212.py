# gradcheck check GC212.py
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
y = torch.arange(64) % 4
shares = 0.01 * (torch.randn(4, 7)[y] + 0.3 * torch.randn(64, 7))
salary = 300 * torch.randn(64, 1)  # says nothing of the class, and outweighs the others
batch = torch.cat([shares, salary], 1), y
loss = F.cross_entropy
