# gradcheck check GC207.py --no-try
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(20, 32), nn.Tanh())
for _ in range(19):
    model += nn.Sequential(nn.Linear(32, 32), nn.Tanh())
model.append(nn.Linear(32, 4))
for layer in model[::2]:
    nn.init.normal_(layer.weight, std=0.9 / layer.in_features**0.5)
    nn.init.normal_(layer.bias, std=1.0)  # as wide as what they are added to
batch = torch.randn(64, 20), torch.arange(64) % 4
loss = F.cross_entropy
