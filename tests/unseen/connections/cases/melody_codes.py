import torch
import torch.nn as nn
import torch.nn.functional as F


class MelodyVQ(nn.Module):
    def __init__(self, width=24, dim=8, n_codes=32):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, dim), nn.LayerNorm(dim))
        self.codes = nn.Parameter(torch.randn(n_codes, dim))
        self.dec = nn.Sequential(nn.Linear(dim, 64), nn.ReLU(), nn.Linear(64, width))

    def forward(self, x):
        z = self.enc(x)
        with torch.no_grad():
            idx = torch.cdist(z, self.codes).argmin(1)
        q = self.codes[idx]
        out = self.dec(z + (q - z).detach())
        return out, z, q


def build_model():
    torch.manual_seed(425)
    return MelodyVQ()


def make_batch(n=192):
    g = torch.Generator().manual_seed(426)
    phrases = 1.5 * torch.randn(6, 24, generator=g)
    pick = torch.randint(0, 6, (n,), generator=g)
    return phrases[pick] + 0.1 * torch.randn(n, 24, generator=g)


def compute_loss(model, batch):
    out, z, q = model(batch)
    return F.mse_loss(out, batch) + F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())
