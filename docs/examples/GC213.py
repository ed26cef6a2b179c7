# gradcheck check GC213.py --no-try
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4))
batch = torch.randn(64, 20), torch.full((64,), 3)  # one class
loss = F.cross_entropy
