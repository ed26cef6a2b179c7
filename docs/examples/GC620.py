# gradcheck check GC620.py --no-try --baseline before.json --update-baseline
# gradcheck check GC620.py --no-try --baseline before.json --drift 0.5 --set scale=0.01
import torch
from torch import nn


class Branch(nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale
        self.body, self.head = nn.Linear(8, 32), nn.Linear(32, 1)

    def forward(self, x):
        return self.head(self.scale * self.body(x).relu())


x = torch.randn(64, 8)
batch = x, x[:, :1].sin()
loss = nn.functional.mse_loss
