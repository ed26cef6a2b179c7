# gradcheck check GC414.py --no-try
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4))
model[0].requires_grad_(False)
batch = torch.randn(64, 20), torch.arange(64) % 4
loss = F.cross_entropy
