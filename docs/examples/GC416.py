# gradcheck check GC416.py
import torch
from torch import nn

model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
x = torch.randn(64, 8)
batch = x, 5 + 3 * x[:, :1]  # prices in thousands


def loss(output, price):
    return (output - price).square().clamp(max=1).mean()  # flat wherever an error is above 1
