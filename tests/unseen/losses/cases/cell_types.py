import torch
import torch.nn as nn
import torch.nn.functional as F


class CellTypes(nn.Module):
    """Type of the object in each cell of a detector's grid."""

    def __init__(self, n_types=200):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(16, 64, 1), nn.ReLU(), nn.Conv2d(64, 64, 1), nn.ReLU())
        self.types = nn.Conv2d(64, n_types, 1)

    def forward(self, x):
        return torch.sigmoid(self.types(self.body(x)))


def build_model():
    torch.manual_seed(941)
    return CellTypes()


def make_batch(n=24):
    g = torch.Generator().manual_seed(942)
    types = torch.randint(0, 200, (n, 6, 6), generator=g)
    table = 1.5 * torch.randn(200, 16, generator=g)
    return table[types].permute(0, 3, 1, 2) + 0.2 * torch.randn(n, 16, 6, 6, generator=g), types


def compute_loss(model, batch):
    x, types = batch
    p = model(x).permute(0, 2, 3, 1).reshape(-1, 200)
    return F.cross_entropy(p, types.flatten())
