# gradcheck check GC601.py --optimizer adam --lr 0.5 --no-try
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4))
batch = torch.randn(64, 20), torch.arange(64) % 4
loss = F.cross_entropy
