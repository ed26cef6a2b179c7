import torch
import torch.nn as nn


class VAE(nn.Module):
    def __init__(self, pixels=1600, latent=12):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(pixels, 128), nn.ReLU())
        self.mu, self.logvar = nn.Linear(128, latent), nn.Linear(128, latent)
        self.dec = nn.Sequential(nn.Linear(latent, 128), nn.ReLU(), nn.Linear(128, pixels))

    def forward(self, x, eps):
        h = self.enc(x)
        mu, lv = self.mu(h), self.logvar(h)
        return self.dec(mu + eps * (0.5 * lv).exp()), mu, lv


def build_model():
    torch.manual_seed(5937)
    return VAE()


def make_batch(n=80):
    g = torch.Generator().manual_seed(5938)
    yy, xx = torch.meshgrid(torch.linspace(-1, 1, 40), torch.linspace(-1, 1, 40), indexing="ij")
    c = 0.7 * (2 * torch.rand(n, 2, 1, 1, generator=g) - 1)
    s = 0.08 + 0.25 * torch.rand(n, 1, 1, generator=g)
    img = torch.exp(-((xx - c[:, 0]) ** 2 + (yy - c[:, 1]) ** 2) / (2 * s ** 2))
    return img.flatten(1), torch.randn(n, 12, generator=g)


def compute_loss(model, batch):
    x, eps = batch
    logits, mu, lv = model(x, eps)
    bce = nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    return bce - 0.5 * torch.sum(1 + lv - mu.pow(2) - lv.exp())
