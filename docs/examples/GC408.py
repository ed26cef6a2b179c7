# gradcheck check GC408.py --no-try
import torch
import torch.nn.functional as F
from torch import nn


class LowRank(nn.Module):
    """A low-rank update of a frozen layer: one of its factors is to be random."""

    def __init__(self):
        super().__init__()
        self.base = nn.Linear(20, 32).requires_grad_(False)
        self.down, self.up = nn.Linear(20, 4, bias=False), nn.Linear(4, 32, bias=False)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.up.weight)
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        return self.head((self.base(x) + self.up(self.down(x))).relu())


model = LowRank()
batch = torch.randn(64, 20), torch.arange(64) % 4
loss = F.cross_entropy
