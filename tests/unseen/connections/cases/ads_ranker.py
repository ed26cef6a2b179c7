import torch
import torch.nn as nn
import torch.nn.functional as F


class AdsRanker(nn.Module):
    """Counters go through the bottom net, ids through tables, both into the top net."""

    def __init__(self, dense=6, tables=3, rows=20, dim=8):
        super().__init__()
        self.bot = nn.Sequential(nn.Linear(dense, 32), nn.ReLU(), nn.Linear(32, dim), nn.ReLU())
        self.tables = nn.ModuleList(nn.Embedding(rows, dim) for _ in range(tables))
        self.top = nn.Sequential(nn.Linear(dim * (tables + 1), 32), nn.ReLU(), nn.Linear(32, 1))
        for m in self.bot:
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0.0, 0.05)
                nn.init.normal_(m.bias, -1.5, 0.2)

    def forward(self, counts, ids):
        parts = [self.bot(counts)] + [t(ids[:, i]) for i, t in enumerate(self.tables)]
        return self.top(torch.cat(parts, 1)).squeeze(-1)


def build_model():
    torch.manual_seed(470)
    return AdsRanker()


def make_batch(n=1024):
    g = torch.Generator().manual_seed(471)
    counts = torch.log1p(torch.poisson(torch.full((n, 6), 3.0), generator=g))
    ids = torch.randint(0, 20, (n, 3), generator=g)
    score = 6 * (counts[:, 0] - counts[:, 1])
    return counts, ids, (score > 0).float()


def compute_loss(model, batch):
    counts, ids, clicked = batch
    return F.binary_cross_entropy_with_logits(model(counts, ids), clicked)
