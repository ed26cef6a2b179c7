import torch
import torch.nn as nn


class Expert(nn.Sequential):
    def __init__(self, d):
        super().__init__(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))


class Switch(nn.Module):
    """Every token goes to one expert; idle experts are not run."""

    def __init__(self, d, n=12):
        super().__init__()
        self.router = nn.Linear(d, n, bias=False)
        self.experts = nn.ModuleList(Expert(d) for _ in range(n))

    def forward(self, x):
        p = self.router(x).softmax(-1)
        top, idx = p.max(-1)
        out = torch.zeros_like(x)
        for i in idx.unique().tolist():
            m = idx == i
            out[m] = top[m].unsqueeze(-1) * self.experts[i](x[m])
        return x + out


class Model(nn.Module):
    def __init__(self, vocab=40, d=24):
        super().__init__()
        self.emb = nn.Embedding(vocab, d)
        self.moe1, self.moe2 = Switch(d), Switch(d)
        self.ln = nn.LayerNorm(d)
        self.lm = nn.Linear(d, vocab)

    def forward(self, ids):
        return self.lm(self.ln(self.moe2(self.moe1(self.emb(ids)))))


def build_model():
    torch.manual_seed(5427)
    return Model()


def make_batch():
    g = torch.Generator().manual_seed(5428)
    table = torch.randperm(40, generator=g)
    ids = torch.randint(0, 7, (3, 10), generator=g)
    return ids, table[ids]


def compute_loss(model, batch):
    ids, nxt = batch
    return nn.functional.cross_entropy(model(ids).flatten(0, 1), nxt.flatten())
