import torch
import torch.nn as nn
import torch.nn.functional as F


@torch.compile(backend="eager")
def soft_ramp(x, knee: float):
    low = knee * torch.exp((x - knee) / knee)
    return torch.where(x <= knee, low, x)


class PeakNet(nn.Module):
    """Charge of a pulse from its samples, in ADC counts."""

    def __init__(self, n=16, d=32):
        super().__init__()
        self.a, self.b = nn.Linear(n, d), nn.Linear(d, 1)

    def forward(self, x):
        return self.b(torch.log1p(soft_ramp(self.a(x), 1.5))).squeeze(1)


def build_model():
    torch.manual_seed(301)
    return PeakNet()


def make_batch():
    g = torch.Generator().manual_seed(302)
    x = 800 * torch.rand(24, 16, generator=g)
    return x, x.sum(1).log()


def compute_loss(model, batch):
    x, y = batch
    return F.mse_loss(model(x), y)
