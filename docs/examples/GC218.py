# gradcheck check GC218.py --no-try
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
for layer in model[::2]:
    nn.init.constant_(layer.weight, 0.1)
    nn.init.zeros_(layer.bias)
batch = torch.randn(64, 20), torch.arange(64) % 4
loss = F.cross_entropy
