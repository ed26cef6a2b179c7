# gradcheck check GC406.py --no-try
import torch
import torch.nn.functional as F
from torch import nn


class Clip(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx, gradient):
        return None  # forgotten


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(20, 32), nn.Linear(32, 4)

    def forward(self, x):
        return self.head(Clip.apply(self.body(x)))


model = Net()
batch = torch.randn(64, 20), torch.arange(64) % 4
loss = F.cross_entropy
