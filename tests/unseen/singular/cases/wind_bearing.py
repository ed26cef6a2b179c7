"""The bearing of the wind with a von Mises likelihood; one buoy reports in another unit."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class Bearing(nn.Module):
    def __init__(self, inputs=6, hidden=48):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.mean = nn.Linear(hidden, 2)
        self.kappa = nn.Linear(hidden, 1)

    def forward(self, x):
        h = self.trunk(x)
        east, north = self.mean(h).unbind(-1)
        return torch.atan2(north, east + 1e-6), F.softplus(self.kappa(h)).squeeze(-1)


def build_model():
    torch.manual_seed(5214)
    return Bearing()


def make_batch():
    g = torch.Generator().manual_seed(522)
    x = torch.randn(32, 6, generator=g)
    angle = math.pi * (2 * torch.rand(32, generator=g) - 1)
    x[:, :2] = torch.stack([angle.cos(), angle.sin()], 1)
    x[21] *= 2000
    return x, angle


def compute_loss(model, batch):
    x, angle = batch
    mean, kappa = model(x)
    log_norm = torch.log(torch.special.i0(kappa)) + math.log(2 * math.pi)
    return (log_norm - kappa * torch.cos(angle - mean)).mean()
