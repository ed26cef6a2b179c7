import torch
import torch.nn as nn
import torch.nn.functional as F


class MeanConv(nn.Module):
    """h_v = W * mean of the neighbourhood (self loop included)"""

    def __init__(self, i, o):
        super().__init__()
        self.lin = nn.Linear(i, o)
        nn.init.orthogonal_(self.lin.weight)
        nn.init.normal_(self.lin.bias, std=0.1)

    def forward(self, h, a):
        return self.lin(a @ h)


class SensorNet(nn.Module):
    def __init__(self, feats=8, hidden=32, depth=14, classes=4):
        super().__init__()
        self.encode = nn.Linear(feats, hidden)
        self.convs = nn.ModuleList(MeanConv(hidden, hidden) for _ in range(depth))
        self.decode = nn.Linear(hidden, classes)

    def forward(self, x, a):
        h = torch.tanh(self.encode(x))
        for conv in self.convs:
            h = torch.tanh(conv(h, a))
        return self.decode(h)


def build_model():
    torch.manual_seed(2820)
    return SensorNet()


def make_batch(n=90):
    """One road network; congestion level of every junction from its own loop-detector statistics."""
    g = torch.Generator().manual_seed(9)
    link = torch.rand(n, n, generator=g) < 0.18
    link = (link | link.T).float()
    link.fill_diagonal_(1.0)
    a = link / link.sum(1, keepdim=True)
    x = torch.randn(n, 8, generator=g)
    level = (x[:, :2].sum(1) * 1.2).clamp(-1.99, 1.99).add(2).floor().long()
    return x, a, level


def compute_loss(model, batch):
    x, a, level = batch
    return F.cross_entropy(model(x, a), level)
