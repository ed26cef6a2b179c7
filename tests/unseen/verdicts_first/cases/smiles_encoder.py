"""Toy property prediction on token strings: every position is labelled with the ring it belongs to."""
import torch
import torch.nn as nn
import torch.nn.functional as F

VOCAB, DIM, HEADS, DEPTH, RINGS = 20, 32, 4, 24, 8


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
        self.ln_a = nn.LayerNorm(DIM)
        self.ff = nn.Sequential(nn.Linear(DIM, 3 * DIM), nn.GELU(), nn.Linear(3 * DIM, DIM))
        self.ln_f = nn.LayerNorm(DIM)

    def forward(self, x):
        x = self.ln_a(x + self.attn(x, x, x, need_weights=False)[0])
        return self.ln_f(x + self.ff(x))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(VOCAB, DIM)
        self.pos = nn.Embedding(24, DIM)
        self.blocks = nn.ModuleList([Block() for _ in range(DEPTH)])
        self.head = nn.Linear(DIM, RINGS)
        self.apply(self._init)

    @staticmethod
    def _init(m):
        if isinstance(m, nn.Linear):
            nn.init.xavier_normal_(m.weight)
            nn.init.zeros_(m.bias)

    def forward(self, ids):
        x = self.tok(ids) + self.pos.weight[: ids.size(1)]
        for b in self.blocks:
            x = b(x)
        return self.head(x)


def molecules(seed, n=12):
    g = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, VOCAB, (n, 24), generator=g)
    return ids, (ids // 3 + ids.roll(1, 1) % 2) % RINGS


def build_model():
    torch.manual_seed(31)
    net = Encoder()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(16):          # resumed from the first checkpoint of the run
        opt.zero_grad()
        compute_loss(net, molecules(1000 + step)).backward()
        opt.step()
    opt.zero_grad()
    return net


def make_batch():
    return molecules(31)


def compute_loss(model, batch):
    ids, ring = batch
    return F.cross_entropy(model(ids).flatten(0, 1), ring.flatten())
