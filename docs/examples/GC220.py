# gradcheck check GC220.py
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(
    nn.Linear(20, 32), nn.ReLU(), nn.Dropout(0.95), nn.Linear(32, 32), nn.ReLU(), nn.Dropout(0.95), nn.Linear(32, 10)
)
y = torch.arange(64) % 10
batch = torch.randn(10, 20)[y] + 0.3 * torch.randn(64, 20), y
loss = F.cross_entropy
