# gradcheck check GC103.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3), nn.ReLU())
batch = torch.randn(8, 4)


def step(model, x):
    return -model(x).log().mean()  # a ReLU puts out 0, whose logarithm is -Inf
