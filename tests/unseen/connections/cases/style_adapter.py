import torch
import torch.nn as nn
import torch.nn.functional as F


class Adapted(nn.Module):
    """A trained layer that stays as it is, and a narrow detour beside it."""

    def __init__(self, base, rank=4):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Linear(base.in_features, rank, bias=False)
        self.up = nn.Linear(rank, base.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x):
        return self.base(x) + self.up(self.down(x))


def build_model():
    torch.manual_seed(465)
    return nn.Sequential(Adapted(nn.Linear(24, 64)), nn.GELU(), Adapted(nn.Linear(64, 64)), nn.GELU(), Adapted(nn.Linear(64, 3)))


def make_batch(n=160):
    g = torch.Generator().manual_seed(466)
    x = torch.randn(n, 24, generator=g)
    y = torch.stack([x[:, 0] - x[:, 1], x[:, 2] + x[:, 3], 1.5 * x[:, 4]], 1)
    return x, y


def compute_loss(model, batch):
    x, y = batch
    return F.mse_loss(model(x), y)
