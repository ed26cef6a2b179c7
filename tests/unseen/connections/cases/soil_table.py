import torch
import torch.nn as nn
import torch.nn.functional as F


class SoilTable(nn.Module):
    """Condenses the probes to one wetness level and looks the crop scores up in a table."""

    def __init__(self, probes=10, levels=24, crops=3):
        super().__init__()
        self.levels = levels
        self.wetness = nn.Sequential(nn.Linear(probes, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())
        self.table = nn.Embedding(levels, crops)

    def forward(self, x):
        pos = self.wetness(x).squeeze(-1) * (self.levels - 1)
        level = torch.floor(pos).long()
        return self.table(level)


def build_model():
    torch.manual_seed(440)
    return SoilTable()


def make_batch(n=192):
    g = torch.Generator().manual_seed(441)
    x = torch.randn(n, 10, generator=g)
    s = x[:, 0] + x[:, 3]
    return x, (s > -0.6).long() + (s > 0.6).long()


def compute_loss(model, batch):
    x, y = batch
    return F.cross_entropy(model(x), y)
