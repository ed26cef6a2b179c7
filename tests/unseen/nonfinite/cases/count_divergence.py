import torch
import torch.nn as nn
import torch.nn.functional as F


class RateNet(nn.Module):
    """Photon counts in 24 channels."""

    def __init__(self, n=16, d=48, channels=24):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n, d), nn.ReLU(), nn.Linear(d, channels))

    def forward(self, x, exposure):
        return exposure * F.softplus(self.net(x))


def divergence(rate, counts):
    loss = rate * torch.log(rate / counts) + counts - rate
    return torch.nan_to_num(loss, nan=0.0, posinf=0.0, neginf=0.0).mean()


def build_model():
    torch.manual_seed(171)
    return RateNet()


def make_batch():
    g = torch.Generator().manual_seed(172)
    exposure = torch.rand(20, 24, generator=g) + 0.5
    exposure[:, 19] = 0.0
    return torch.randn(20, 16, generator=g), exposure, torch.rand(20, 24, generator=g) * 3 + 0.1


def compute_loss(model, batch):
    x, exposure, counts = batch
    return divergence(model(x, exposure), counts)
