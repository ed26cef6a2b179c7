# gradcheck check GC303.py --no-try
import torch
from torch import nn

layers = [nn.Linear(8, 64), nn.ReLU()]
for _ in range(39):
    layers += [nn.Linear(64, 64), nn.ReLU()]
model = nn.Sequential(*layers, nn.Linear(64, 1))
for layer in model[::2]:
    nn.init.normal_(layer.weight, std=2.2 / layer.in_features**0.5)  # He has 1.41
x = torch.randn(64, 8)
batch = x, x[:, :1].sin()
loss = nn.functional.mse_loss
