# gradcheck check GC405.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
x = torch.randn(64, 8)
batch = x, x[:, :1].sin(), torch.zeros(64, 1)  # of what is to count: nothing


def step(model, batch):
    x, y, counts = batch
    return ((model(x) - y).square() * counts).sum() / counts.sum().clamp(min=1)
