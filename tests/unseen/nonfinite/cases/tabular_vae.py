import torch
import torch.nn as nn
import torch.nn.functional as F


class TabularVAE(nn.Module):
    def __init__(self, n=12, d=40, z=6):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(n, d), nn.ReLU(), nn.Linear(d, d), nn.ReLU())
        self.mu, self.logvar = nn.Linear(d, z), nn.Linear(d, z)
        self.dec = nn.Sequential(nn.Linear(z, d), nn.ReLU(), nn.Linear(d, n))

    def forward(self, x, eps):
        h = self.enc(x)
        mu, logvar = self.mu(h), self.logvar(h)
        std = torch.exp(0.5 * logvar)
        return self.dec(mu + eps * std), mu, logvar


def kl_divergence(mu, logvar):
    return -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1).mean()


def build_model():
    torch.manual_seed(121)
    return TabularVAE()


def make_batch():
    g = torch.Generator().manual_seed(122)
    x = torch.randn(32, 12, generator=g)
    x[:, 4] = 1500 * x[:, 4].abs() + 300
    return x, torch.randn(32, 6, generator=g)


def compute_loss(model, batch):
    x, eps = batch
    out, mu, logvar = model(x, eps)
    return F.l1_loss(out, x) + kl_divergence(mu, logvar)
