# gradcheck check GC201.py --no-try
import torch
import torch.nn.functional as F
from torch import nn

layers = [layer for _ in range(10) for layer in (nn.Linear(20, 20), nn.Sigmoid())]
model = nn.Sequential(*layers, nn.Linear(20, 4))
batch = torch.randn(64, 20), torch.arange(64) % 4
loss = F.cross_entropy
