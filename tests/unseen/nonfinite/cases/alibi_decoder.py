import torch
import torch.nn as nn
import torch.nn.functional as F


class AlibiAttention(nn.Module):
    def __init__(self, d=32, heads=4):
        super().__init__()
        self.h = heads
        self.qkv, self.o = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.register_buffer("slope", 2.0 ** -torch.arange(1, heads + 1).float())

    def bias(self, n):
        i = torch.arange(n)
        dist = (i[None, :] - i[:, None]).float()
        b = self.slope[:, None, None] * dist
        return b.masked_fill(dist > 0, float("-inf"))

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.h, -1).permute(2, 0, 3, 1, 4)
        w = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + self.bias(t)).softmax(-1)
        return self.o((w @ v).transpose(1, 2).reshape(n, t, d))


class Decoder(nn.Module):
    def __init__(self, vocab=40, d=32):
        super().__init__()
        self.emb, self.n1, self.attn, self.n2, self.head = nn.Embedding(vocab, d), nn.LayerNorm(d), AlibiAttention(d), nn.LayerNorm(d), nn.Linear(d, vocab)

    def forward(self, ids):
        h = self.emb(ids)
        h = h + self.attn(self.n1(h))
        return self.head(self.n2(h))


def build_model():
    torch.manual_seed(591)
    return Decoder()


def make_batch():
    return torch.randint(0, 40, (4, 13), generator=torch.Generator().manual_seed(592))


def compute_loss(model, batch):
    return F.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
