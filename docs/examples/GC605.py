# gradcheck check GC605.py --lr 1e-5 --no-try
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4)).bfloat16()
batch = torch.randn(64, 20).bfloat16(), torch.arange(64) % 4
loss = F.cross_entropy
