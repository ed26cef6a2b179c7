# gradcheck check GC104.py --no-try
import torch
from torch import nn

model = nn.Linear(4, 3)
batch = torch.randn(8, 4)


def step(model, x):
    codes = model(x)
    apart = codes[:, None] - codes  # each with each, itself included
    return -apart.square().sum(-1).sqrt().mean()  # the slope of a root is infinite at 0
