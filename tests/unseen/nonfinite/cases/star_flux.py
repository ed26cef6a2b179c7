import torch
import torch.nn as nn
import torch.nn.functional as F


class FluxNet(nn.Module):
    """Type of a star from its luminosity in watts and its spectrum."""

    def __init__(self, n=12, d=32, classes=5):
        super().__init__()
        self.norm = nn.LayerNorm(n)
        self.net = nn.Sequential(nn.Linear(n, d), nn.ReLU(), nn.Linear(d, classes))

    def forward(self, flux):
        return self.net(self.norm(torch.log10(flux)))


def build_model():
    torch.manual_seed(611)
    return FluxNet()


def make_batch():
    g = torch.Generator().manual_seed(612)
    flux = 10 ** (torch.rand(30, 12, generator=g) * 12 + 25)
    flux[4, 2], flux[11, 7] = 3.3e38, 1.2e-38
    return flux, torch.randint(0, 5, (30,), generator=g)


def compute_loss(model, batch):
    flux, y = batch
    return F.cross_entropy(model(flux), y)
