# gradcheck check GC105.py --no-try
import torch
import torch.nn.functional as F
from torch import nn


class Weighted(nn.Module):
    """Words weighed by how rare they are, as shares of their document."""

    def __init__(self):
        super().__init__()
        self.rarity = nn.Parameter(1 + torch.rand(6), requires_grad=False)

    def forward(self, counts):
        return self.rarity * counts / counts.sum(1, keepdim=True)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weighted, self.head = Weighted(), nn.Linear(6, 2)

    def forward(self, counts):
        return self.head(torch.nan_to_num(self.weighted(counts)))


model = Net()
batch = torch.randint(0, 4, (16, 6)).float(), torch.arange(16) % 2
batch[0][5] = 0  # an empty document
loss = F.cross_entropy
