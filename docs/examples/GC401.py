# gradcheck check GC401.py --no-try
import torch
import torch.nn.functional as F
from torch import nn


class Cut(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(20, 32)
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        h = torch.tensor(self.body(x).relu().tolist())  # through Python, and without its graph
        return self.head(h)


model = Cut()
batch = torch.randn(64, 20), torch.arange(64) % 4
loss = F.cross_entropy
