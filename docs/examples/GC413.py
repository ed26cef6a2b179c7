# gradcheck check GC413.py --no-try
import torch
import torch.nn.functional as F
from torch import nn


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(20, 32)
        self.head, self.auxiliary = nn.Linear(32, 4), nn.Linear(32, 2)

    def forward(self, x):
        h = self.body(x).relu()
        self.auxiliary(h)  # is computed, and does not enter the loss
        return self.head(h)


model = TwoHeads()
batch = torch.randn(64, 20), torch.arange(64) % 4
loss = F.cross_entropy
