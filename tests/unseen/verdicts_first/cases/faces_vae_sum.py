import torch
from torch import nn
from torch.nn import functional as F


class VAE(nn.Module):
    def __init__(self, pixels=28 * 28, hidden=200, z=8):
        super().__init__()
        self.fc1 = nn.Linear(pixels, hidden)
        self.fc21 = nn.Linear(hidden, z)
        self.fc22 = nn.Linear(hidden, z)
        self.fc3 = nn.Linear(z, hidden)
        self.fc4 = nn.Linear(hidden, pixels)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(x.size(0), -1))
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        return self.decode(z), mu, logvar


def build_model():
    torch.manual_seed(200)
    return VAE()


def make_batch(n=128):
    """Round faces with two eyes; left or right of the middle, larger or smaller."""
    g = torch.Generator().manual_seed(201)
    yy, xx = torch.meshgrid(torch.arange(28.), torch.arange(28.), indexing="ij")
    cx = 9 + 10 * torch.rand(n, 1, 1, generator=g)
    cy = 12 + 4 * torch.rand(n, 1, 1, generator=g)
    r = 6 + 3 * torch.rand(n, 1, 1, generator=g)
    face = ((xx - cx) ** 2 + (yy - cy) ** 2 < r ** 2).float()
    for s in (-0.4, 0.4):
        face = face * (((xx - cx - s * r) ** 2 + (yy - cy + 0.3 * r) ** 2) > (0.2 * r) ** 2).float()
    return face.unsqueeze(1)


def compute_loss(model, x):
    recon, mu, logvar = model(x)
    bce = F.binary_cross_entropy(recon, x.view(x.size(0), -1), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld
