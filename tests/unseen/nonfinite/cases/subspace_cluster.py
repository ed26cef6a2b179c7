import torch
import torch.nn as nn
import torch.nn.functional as F


def projector(h, k):
    u, s, _ = torch.linalg.svd(h, full_matrices=False)
    u = u[:, :k]
    return u @ u.T


class SubspaceNet(nn.Module):
    """Views of one scene should span the same subspace."""

    def __init__(self, n=10, d=12):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(n, 32), nn.ReLU(), nn.Linear(32, d, bias=False))

    def forward(self, x, valid):
        return self.enc(x) * valid.unsqueeze(-1)


def build_model():
    torch.manual_seed(81)
    return SubspaceNet()


def make_batch():
    g = torch.Generator().manual_seed(82)
    a, b = torch.randn(9, 10, generator=g), torch.randn(9, 10, generator=g)
    valid = torch.tensor([1.0, 1, 1, 1, 1, 1, 0, 0, 0])
    return a, b, valid


def compute_loss(model, batch):
    a, b, valid = batch
    pa, pb = projector(model(a, valid), 3), projector(model(b, valid), 3)
    return (pa - pb).square().sum()
