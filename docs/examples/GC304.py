# gradcheck check GC304.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
x = torch.randn(64, 8)
batch = x, x[:, :1].sin()


def loss(output, target):
    return ((output - target) / 1e-11).square().mean()  # an uncertainty in metres, where the values are not
