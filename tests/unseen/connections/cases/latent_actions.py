import torch
import torch.nn as nn
import torch.nn.functional as F


class Quantizer(nn.Module):
    def __init__(self, n_codes, dim):
        super().__init__()
        self.codebook = nn.Embedding(n_codes, dim)
        nn.init.uniform_(self.codebook.weight, -1.0 / n_codes, 1.0 / n_codes)

    def forward(self, z):
        book = self.codebook.weight.data
        idx = torch.cdist(z, book).argmin(1)
        q = F.embedding(idx, book)
        codebook_loss = F.mse_loss(q, z.detach())
        commit_loss = F.mse_loss(z, q.detach())
        return z + (q - z).detach(), codebook_loss + 0.25 * commit_loss


class LatentActionModel(nn.Module):
    """What happened between two frames, as one of a few codes."""

    def __init__(self, obs=12, dim=4, n_codes=16):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(2 * obs, 64), nn.GELU(), nn.Linear(64, dim), nn.LayerNorm(dim))
        self.vq = Quantizer(n_codes, dim)
        self.decoder = nn.Sequential(nn.Linear(obs + dim, 64), nn.GELU(), nn.Linear(64, obs))

    def forward(self, now, nxt):
        z_q, vq_loss = self.vq(self.encoder(torch.cat([now, nxt], 1)))
        return self.decoder(torch.cat([now, z_q], 1)), vq_loss


def build_model():
    torch.manual_seed(420)
    return LatentActionModel()


def make_batch(n=192):
    g = torch.Generator().manual_seed(421)
    now = torch.randn(n, 12, generator=g)
    moves = torch.randn(8, 12, generator=g)
    action = torch.randint(0, 8, (n,), generator=g)
    return now, now + moves[action]


def compute_loss(model, batch):
    now, nxt = batch
    recon, vq_loss = model(now, nxt)
    return F.mse_loss(recon, nxt) + vq_loss
