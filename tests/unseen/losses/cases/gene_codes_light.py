import torch
import torch.nn as nn
import torch.nn.functional as F


class GeneCodes(nn.Module):
    """A sparse autoencoder of expression profiles."""

    def __init__(self, n_genes=60, n_codes=128):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(n_genes, 96), nn.ReLU(), nn.Linear(96, n_codes), nn.ReLU())
        self.dec = nn.Linear(n_codes, n_genes)

    def forward(self, x):
        codes = self.enc(x)
        return self.dec(codes), codes


def build_model():
    torch.manual_seed(903)
    return GeneCodes()


def make_batch(n=128):
    g = torch.Generator().manual_seed(904)
    programs = torch.randn(6, 60, generator=g)
    return torch.randn(n, 6, generator=g).relu() @ programs * 0.5


def compute_loss(model, x):
    recon, codes = model(x)
    sparsity = codes.abs().sum(1).mean()
    return F.mse_loss(recon, x) + 1e-3 * sparsity
