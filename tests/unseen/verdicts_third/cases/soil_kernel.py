import torch
import torch.nn as nn


class SoilField(nn.Module):
    """A Gaussian process over what a network makes of the spectra."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
        self.log_scale = nn.Parameter(torch.tensor(scale).log())
        self.log_noise = nn.Parameter(torch.tensor(-2.0))

    def forward(self, spectra):
        z = self.features(spectra) / self.log_scale.exp()
        gap = (z[:, None] - z[None]).pow(2).sum(-1)
        return torch.exp(-0.5 * gap) + self.log_noise.exp() * torch.eye(len(z))


def build_model(scale=1.0):
    torch.manual_seed(8601)
    return SoilField(scale)


def make_batch():
    g = torch.Generator().manual_seed(8602)
    kind = torch.randn(6, 30, generator=g)
    share = torch.rand(80, 6, generator=g)
    spectra = 400 * (share @ kind) + 60 * torch.randn(80, 30, generator=g)
    carbon = share[:, 0] - share[:, 1] * share[:, 2]
    return spectra, (carbon - carbon.mean()) / carbon.std()


def compute_loss(model, batch):
    spectra, carbon = batch
    factor = torch.linalg.cholesky(model(spectra))
    fit = torch.cholesky_solve(carbon[:, None], factor)[:, 0] @ carbon
    return 0.5 * (fit + 2 * factor.diagonal().log().sum()) / len(carbon)
