# gradcheck check GC402.py --no-try
import torch
import torch.nn.functional as F
from torch import nn


class Binary(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(20, 32)
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.body(x).sign())  # flat everywhere but at 0


model = Binary()
batch = torch.randn(64, 20), torch.arange(64) % 4
loss = F.cross_entropy
