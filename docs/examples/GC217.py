# gradcheck check GC217.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
x = torch.randn(64, 8)
batch = 255 * x, torch.arange(64) % 4  # as pixels come out of a file
loss = nn.functional.cross_entropy
