# gradcheck check GC412.py --no-try
import torch
import torch.nn.functional as F
from torch import nn


class Experts(nn.Module):
    """Each sample goes to the one expert that its first number names."""

    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(20, 4) for _ in range(3))

    def forward(self, x):
        choice = (x[:, 0] > 0).long()  # never the third
        out = torch.stack([expert(x) for expert in self.experts])
        return out[choice, torch.arange(len(x))]


model = Experts()
batch = torch.randn(64, 20), torch.arange(64) % 4
loss = F.cross_entropy
