import math

import torch
import torch.nn as nn


class BoxHead(nn.Module):
    """Offsets of a box and how sure we are of each of them."""

    def __init__(self, feat=32, init_sigma=5e-4):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(feat, 64), nn.LeakyReLU(0.1), nn.Linear(64, 64), nn.LeakyReLU(0.1))
        self.pred = nn.Linear(64, 8)
        with torch.no_grad():
            self.pred.weight[4:] *= 0.1
            self.pred.bias[4:] = math.log(init_sigma)      # start out confident

    def forward(self, f):
        mu, log_sigma = self.pred(self.trunk(f)).chunk(2, dim=-1)
        return mu, log_sigma


def build_model():
    torch.manual_seed(31)
    return BoxHead()


def make_batch(n=128):
    gen = torch.Generator().manual_seed(32)
    f = torch.randn(n, 32, generator=gen)
    w = torch.randn(32, 4, generator=gen) / 32 ** 0.5
    t = torch.tanh(f @ w) + 0.05 * torch.randn(n, 4, generator=gen)
    return f, t


def compute_loss(model, batch):
    f, t = batch
    mu, log_sigma = model(f)
    z = (t - mu) * torch.exp(-log_sigma)
    return (0.5 * z ** 2 + log_sigma + 0.5 * math.log(2 * math.pi)).mean()
