# gradcheck check GC417.py
import torch
import torch.nn.functional as F
from torch import nn


class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.GRUCell(4, 32), nn.Linear(32, 4)

    def forward(self, x):
        h = x.new_zeros(len(x), 32)
        for value in x.unbind(1):
            h = self.cell(value, h.detach())  # within one sequence
        return self.head(h)


model = Steps()
y = torch.arange(32) % 4
x = 0.1 * torch.randn(1, 8, 4).repeat(32, 1, 1)
x[:, 0] = 4 * F.one_hot(y, 4)  # the class is told at the first step
batch = x, y
loss = F.cross_entropy
