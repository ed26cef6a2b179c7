"""Equivariant message passing for charged particles in a box: predict the velocity one step ahead."""
import torch
from torch import nn


class EquivLayer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.edge = nn.Sequential(nn.Linear(2 * dim + 1, dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU())
        self.coord = nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, 1))
        self.node = nn.Sequential(nn.Linear(2 * dim, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, h, x):
        n = h.size(1)
        rel = x[:, :, None] - x[:, None]                       # B N N 3
        d2 = rel.pow(2).sum(-1, keepdim=True)
        hi = h[:, :, None].expand(-1, -1, n, -1)
        hj = h[:, None].expand(-1, n, -1, -1)
        m = self.edge(torch.cat([hi, hj, d2], -1))
        x = x + (rel * self.coord(m)).sum(2)
        h = h + self.node(torch.cat([h, m.sum(2)], -1))
        return h, x


class EGNN(nn.Module):
    def __init__(self, dim=24, depth=3):
        super().__init__()
        self.embed = nn.Linear(2, dim)
        self.layers = nn.ModuleList(EquivLayer(dim) for _ in range(depth))
        self.scale = nn.Linear(dim, 1)

    def forward(self, charge, pos, vel):
        h = self.embed(torch.cat([charge, vel.norm(dim=-1, keepdim=True)], -1))
        x = pos
        for layer in self.layers:
            h, x = layer(h, x)
        return (x - pos) + self.scale(h) * vel


def build_model():
    torch.manual_seed(7)
    return EGNN()


def make_batch(b=6, n=32):
    g = torch.Generator().manual_seed(8)
    q = torch.randint(0, 2, (b, n, 1), generator=g).float() * 2 - 1
    pos = 2.5 * torch.randn(b, n, 3, generator=g)
    vel = torch.randn(b, n, 3, generator=g)
    rel = pos[:, :, None] - pos[:, None]
    force = (q[:, :, None] * q[:, None] * rel / (rel.pow(2).sum(-1, keepdim=True) + 1).pow(1.5)).sum(2)
    return q, pos, vel, vel + force


def compute_loss(model, batch):
    q, pos, vel, target = batch
    return (model(q, pos, vel) - target).pow(2).mean()
