# gradcheck check GC404.py --no-try
import torch
import torch.nn.functional as F
from torch import nn


class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.score, self.head = nn.Linear(8, 1), nn.Linear(8, 4)

    def forward(self, x):
        weights = self.score(x).softmax(-1)  # over the one score; dim=1 is over the words
        return self.head((weights * x).sum(1))


model = Pooled()
batch = torch.randn(16, 12, 8), torch.arange(16) % 4
loss = F.cross_entropy
