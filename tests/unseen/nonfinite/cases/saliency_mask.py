import torch
import torch.nn as nn
import torch.nn.functional as F


def unit_range(m):
    lo = m.amin((2, 3), keepdim=True)
    hi = m.amax((2, 3), keepdim=True)
    return (m - lo) / (hi - lo)


class Saliency(nn.Module):
    def __init__(self, d=10):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, d, 3, padding=1), nn.ReLU(), nn.Conv2d(d, 1, 3, padding=1))

    def forward(self, x):
        heat = F.relu(self.conv(x) * x)
        return unit_range(heat)


def build_model():
    torch.manual_seed(191)
    return Saliency()


def make_batch():
    g = torch.Generator().manual_seed(192)
    x = torch.rand(5, 1, 12, 12, generator=g)
    x[3] = 0.0
    return x, (torch.rand(5, 1, 12, 12, generator=g) < 0.3).float()


def compute_loss(model, batch):
    x, y = batch
    return F.binary_cross_entropy(model(x), y)
