# gradcheck check GC403.py --no-try
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4))
nn.init.constant_(model[0].bias, -100.0)  # keeps every unit off
batch = torch.randn(64, 20), torch.arange(64) % 4
loss = F.cross_entropy
