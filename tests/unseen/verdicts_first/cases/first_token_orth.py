import torch
import torch.nn as nn
from torch.nn.utils.parametrizations import orthogonal


class ModReLU(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.b = nn.Parameter(torch.zeros(n))

    def forward(self, z):
        return torch.sign(z) * torch.relu(z.abs() + self.b)


class OrthRNN(nn.Module):
    def __init__(self, vocab=9, hidden=40, classes=8):
        super().__init__()
        self.inp = nn.Embedding(vocab, hidden)
        self.rec = orthogonal(nn.Linear(hidden, hidden, bias=False), orthogonal_map="cayley")
        self.act = ModReLU(hidden)
        self.out = nn.Linear(hidden, classes)
        nn.init.normal_(self.inp.weight, std=0.3)
        with torch.no_grad():
            self.inp.weight[8] = 0                        # blank

    def forward(self, ids):
        w = self.rec.weight.t()
        e = self.inp(ids)
        h = e.new_zeros(ids.size(0), e.size(-1))
        for t in range(ids.size(1)):
            h = self.act(h @ w + e[:, t])
        return self.out(h)


def build_model():
    torch.manual_seed(290)
    return OrthRNN()


def make_batch(b=48, length=160):
    """What was the first symbol?"""
    g = torch.Generator().manual_seed(291)
    ids = torch.full((b, length), 8)
    ids[:, 0] = torch.randint(0, 8, (b,), generator=g)
    return ids, ids[:, 0].clone()


def criterion(logits, first):
    return nn.functional.cross_entropy(logits, first)
