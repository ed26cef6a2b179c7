import math

import torch
import torch.nn as nn


class Coupling(nn.Module):
    def __init__(self, size, hidden, bounded):
        super().__init__()
        self.half = size // 2
        self.bounded = bounded
        self.net = nn.Sequential(
            nn.Linear(self.half, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, size)
        )
        for layer in self.net:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        a, b = x[:, : self.half], x[:, self.half :]
        log_scale, shift = self.net(a).chunk(2, dim=1)
        if self.bounded:
            log_scale = 0.3 * torch.tanh(log_scale)
        b = b * torch.exp(log_scale) + shift
        return torch.cat([b, a], dim=1), log_scale.sum(1)


class PollenDensity(nn.Module):
    def __init__(self, bounded):
        super().__init__()
        self.steps = nn.ModuleList(Coupling(6, 48, bounded) for _ in range(4))

    def forward(self, x):
        volume = x.new_zeros(len(x))
        for step in self.steps:
            x, change = step(x)
            volume = volume + change
        return x, volume


def build_model(bounded=False):
    torch.manual_seed(8201)
    return PollenDensity(bounded)


def make_batch():
    g = torch.Generator().manual_seed(8202)
    centre = torch.randn(5, 6, generator=g)
    return 0.75 * centre[torch.arange(256) % 5] + 0.225 * torch.randn(256, 6, generator=g)


def compute_loss(model, batch):
    z, volume = model(batch)
    return (0.5 * (z**2).sum(1) + 3 * math.log(2 * math.pi) - volume).mean()
