# gradcheck check GC411.py --no-try
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4))
nn.init.zeros_(model[2].weight)  # the head starts at 0, as is usual in places
batch = torch.randn(64, 20), torch.arange(64) % 4
loss = F.cross_entropy
