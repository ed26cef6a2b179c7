import torch
import torch.nn as nn
import torch.nn.functional as F


class SparseAE(nn.Module):
    def __init__(self, n_genes=40, n_codes=96, lam=2.0):
        super().__init__()
        self.lam = lam
        self.encoder = nn.Linear(n_genes, n_codes)
        self.decoder = nn.Linear(n_codes, n_genes)

    def encode(self, x):
        return F.relu(self.encoder(x))

    def forward(self, x):
        c = self.encode(x)
        return self.decoder(c), c


def build_model():
    torch.manual_seed(14)
    return SparseAE()


def make_batch(n=200):
    g = torch.Generator().manual_seed(15)
    programs = torch.randn(6, 40, generator=g)
    usage = torch.relu(torch.randn(n, 6, generator=g))
    x = usage @ programs
    x = x - x.mean(0)
    return x / x.std()


def compute_loss(model, x):
    rec, code = model(x)
    return F.mse_loss(rec, x) + model.lam * code.abs().sum(1).mean()
