import math

import torch
import torch.nn as nn


class Coupling(nn.Module):
    def __init__(self, flip, hidden=48):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(1, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 2))

    def forward(self, x):
        a, b = x.chunk(2, 1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, 1)
        b = b * s.exp() + t
        return torch.cat([b, a] if self.flip else [a, b], 1), s.squeeze(1)


class Affine(nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.s = nn.Parameter(torch.full((1, 2), math.log(scale)))
        self.t = nn.Parameter(torch.zeros(1, 2))

    def forward(self, x):
        return x * self.s.exp() + self.t, self.s.sum(1)


class Flow(nn.Module):
    def __init__(self, n=6):
        super().__init__()
        self.steps = nn.ModuleList()
        for i in range(n):
            self.steps.append(Affine(40.0 if i == 0 else 1.0))
            self.steps.append(Coupling(i % 2 == 0))

    def log_prob(self, x):
        total = 0.0
        for f in self.steps:
            x, ld = f(x)
            total = total + ld
        return -0.5 * (x ** 2).sum(1) - math.log(2 * math.pi) + total


def build_model():
    torch.manual_seed(250)
    return Flow()


def make_batch(n=256):
    g = torch.Generator().manual_seed(251)
    x = 0.05 * torch.rand(n, generator=g) - 0.025                # metres
    y = 0.02 * torch.sin(120 * x) + 0.001 * torch.randn(n, generator=g)
    return torch.stack([x, y], 1)


def compute_loss(model, x):
    return -model.log_prob(x).mean()
