# gradcheck check GC502.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1)).half()
x = 30 * torch.rand(64, 8)
batch = x.half(), (10 + x[:, :1].sin()).half()


def loss(output, target):
    return (output - target).square().sum()  # over all samples; 65,504 is the end of float16
