"""Remaining life of pumps: a two-parameter Weibull per unit, right-censored."""
import torch
import torch.nn as nn
import torch.nn.functional as F

DAY = 86_400.0


class LifeNet(nn.Module):
    def __init__(self, n_features=10, hidden=24):
        super().__init__()
        self.f1 = nn.Linear(n_features, hidden)
        self.f2 = nn.Linear(hidden, hidden)
        self.params = nn.Linear(hidden, 2)

    def forward(self, x):
        h = F.relu(self.f2(F.relu(self.f1(x))))
        a, b = self.params(h).unbind(-1)
        return torch.exp(a), 0.5 + F.softplus(b)          # scale, shape


def nll(t, seen, scale, shape):
    z = t / scale
    log_hazard = shape.log() - scale.log() + (shape - 1) * z.log()
    return (z ** shape - seen * log_hazard).mean()


def build_model():
    torch.manual_seed(4203)
    return LifeNet()


def make_batch():
    g = torch.Generator().manual_seed(4204)
    x = torch.randn(200, 10, generator=g)
    typical = 60 * DAY * torch.exp(0.8 * x[:, 0] - 0.5 * x[:, 1])
    u = torch.rand(200, generator=g).clamp(1e-3, 1 - 1e-3)
    life = typical * (-u.log()) ** (1 / 1.8)
    end = 150 * DAY
    return x, life.clamp(max=end), (life < end).float()


def compute_loss(model, batch):
    x, t, seen = batch
    scale, shape = model(x)
    return nll(t, seen, scale, shape)
