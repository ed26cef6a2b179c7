# gradcheck check GC302.py --no-try
import torch
from torch import nn


class Recurrence(nn.Module):
    def __init__(self):
        super().__init__()
        self.carry = nn.Parameter(1.5 * torch.linalg.qr(torch.randn(16, 16)).Q)  # 1.5 times an orthogonal matrix
        self.enter, self.head = nn.Linear(4, 16), nn.Linear(16, 1)

    def forward(self, x):
        h = x.new_zeros(len(x), 16)
        for value in x.unbind(1):
            h = h @ self.carry + self.enter(value)
        return self.head(h)


model = Recurrence()
batch = torch.randn(32, 60, 4), torch.randn(32, 1)
loss = nn.functional.mse_loss
