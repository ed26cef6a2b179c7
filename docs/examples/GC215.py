# gradcheck check GC215.py --no-try
import torch
from torch import nn


class Fake(nn.Module):
    """A generator under a discriminator that is sure, as it is after a few steps."""

    def __init__(self):
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
        self.discriminator = nn.Linear(8, 1).requires_grad_(False)
        nn.init.constant_(self.discriminator.bias, -8.0)

    def forward(self, noise):
        return self.discriminator(self.generator(noise)).sigmoid()


model = Fake()
batch = torch.randn(64, 16)


def step(model, noise):
    return torch.log1p(-model(noise)).mean()
