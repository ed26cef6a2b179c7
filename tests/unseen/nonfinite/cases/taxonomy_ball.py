import torch
import torch.nn as nn


class Ball(nn.Module):
    """Words in the Poincare ball."""

    def __init__(self, n=30, d=5):
        super().__init__()
        self.emb = nn.Embedding(n, d)
        self.emb.weight.data.uniform_(-0.05, 0.05)

    def distance(self, u, v):
        u, v = self.emb(u), self.emb(v)
        uu, vv = u.square().sum(-1), v.square().sum(-1)
        gap = (u - v).square().sum(-1)
        return torch.acosh(1 + 2 * gap / ((1 - uu) * (1 - vv)))


def build_model():
    torch.manual_seed(381)
    return Ball()


def make_batch():
    g = torch.Generator().manual_seed(382)
    anchor = torch.arange(20)
    parent = (anchor + 7) % 30
    others = (anchor.unsqueeze(1) + torch.randint(1, 30, (20, 6), generator=g)) % 30
    others[11, 2] = 11
    return anchor, parent, others


def compute_loss(model, batch):
    anchor, parent, others = batch
    good = model.distance(anchor, parent)
    bad = model.distance(anchor.unsqueeze(1), others)
    return (good + torch.logsumexp(-bad, 1)).mean()
