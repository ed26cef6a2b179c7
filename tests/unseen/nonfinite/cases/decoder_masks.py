import torch
import torch.nn as nn
import torch.nn.functional as F


def additive(mask, dtype):
    return torch.zeros(mask.shape, dtype=dtype).masked_fill(mask, torch.finfo(dtype).min)


class Block(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.qkv, self.o = nn.Linear(d, 3 * d), nn.Linear(d, d)

    def forward(self, x, mask):
        q, k, v = self.qkv(x).chunk(3, -1)
        w = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5 + mask
        return x + self.o(w.softmax(-1) @ v)


class Decoder(nn.Module):
    def __init__(self, vocab=50, d=32):
        super().__init__()
        self.emb = nn.Embedding(vocab, d)
        self.block = Block(d)
        self.head = nn.Linear(d, vocab)

    def forward(self, ids, pad):
        h = self.emb(ids)
        n = ids.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool).triu(1)
        mask = additive(causal, h.dtype) + additive(pad, h.dtype).unsqueeze(1) + additive(pad, h.dtype).unsqueeze(2)
        return self.head(self.block(h, mask))


def build_model():
    torch.manual_seed(231)
    return Decoder().to(torch.bfloat16)


def make_batch():
    g = torch.Generator().manual_seed(232)
    ids = torch.randint(1, 50, (4, 7), generator=g)
    pad = torch.zeros(4, 7, dtype=torch.bool)
    pad[0, :2] = True
    pad[3, :1] = True
    return ids, pad


def compute_loss(model, batch):
    ids, pad = batch
    logits = model(ids[:, :-1], pad[:, :-1]).float()
    target = ids[:, 1:].masked_fill(pad[:, :-1], -100)
    return F.cross_entropy(logits.flatten(0, 1), target.flatten())
