import math

import torch
from torch import nn


class Sine(nn.Module):
    def __init__(self, w0):
        super().__init__()
        self.w0 = w0

    def forward(self, x):
        return torch.sin(self.w0 * x)


def siren_layer(i, o, first=False, w0=30.0):
    lin = nn.Linear(i, o)
    bound = 1 / i if first else math.sqrt(6 / i) / w0
    nn.init.uniform_(lin.weight, -bound, bound)
    return lin


def build_model(hidden=64, depth=4, w0=30.0):
    torch.manual_seed(4)
    mods = [siren_layer(2, hidden, first=True), Sine(w0)]
    for _ in range(depth - 1):
        mods += [siren_layer(hidden, hidden), Sine(w0)]
    last = siren_layer(hidden, 1)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*mods, last)


def make_batch(n=32):
    """A seismic section on a grid in [-1, 1]^2, amplitudes as recorded (a few hundredths)."""
    t = torch.linspace(-1, 1, n)
    yy, xx = torch.meshgrid(t, t, indexing="ij")
    layers = torch.sin(18 * (yy + 0.15 * torch.sin(3 * xx))) * torch.exp(-((yy - 0.2) ** 2) / 0.4)
    return torch.stack([xx, yy], -1).view(-1, 2), 0.03 * layers.reshape(-1, 1)


loss_fn = nn.MSELoss()
