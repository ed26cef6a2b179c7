# gradcheck check GC301.py
import torch
import torch.nn.functional as F
from torch import nn

layers = [nn.Linear(20, 64), nn.Tanh()]
for _ in range(39):
    layers += [nn.Linear(64, 64), nn.Tanh()]
model = nn.Sequential(*layers, nn.Linear(64, 4))
for layer in model[::2]:
    nn.init.normal_(layer.weight, std=4 / layer.in_features**0.5)  # four times too large
y = torch.arange(64) % 4
batch = torch.randn(4, 20)[y] + 0.3 * torch.randn(64, 20), y
loss = F.cross_entropy
