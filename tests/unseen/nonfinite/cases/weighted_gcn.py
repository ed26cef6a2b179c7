import torch
import torch.nn as nn
import torch.nn.functional as F


def symmetric_norm(index, weight, n):
    row, col = index
    deg = torch.zeros(n).index_add(0, row, weight)
    deg_inv = deg.pow(-0.5)
    deg_inv[torch.isinf(deg_inv)] = 0.0
    return deg_inv[row] * weight * deg_inv[col]


class GCN(nn.Module):
    """The strength of an edge is corrected by what is known of it."""

    def __init__(self, n=10, e=3, d=24, classes=4):
        super().__init__()
        self.edge = nn.Sequential(nn.Linear(e, 12), nn.ReLU(), nn.Linear(12, 1), nn.Softplus())
        self.a, self.b = nn.Linear(n, d), nn.Linear(d, classes)

    def propagate(self, x, index, w):
        return torch.zeros_like(x).index_add(0, index[1], x[index[0]] * w.unsqueeze(1))

    def forward(self, x, index, attr):
        w = symmetric_norm(index, attr[:, 0] * self.edge(attr).squeeze(1), len(x))
        h = F.relu(self.propagate(self.a(x), index, w))
        return self.propagate(self.b(h), index, w)


def build_model():
    torch.manual_seed(151)
    return GCN()


def make_batch():
    g = torch.Generator().manual_seed(152)
    row = torch.cat([torch.arange(20), torch.randint(0, 20, (30,), generator=g)])
    col = torch.cat([torch.arange(20), torch.randint(0, 20, (30,), generator=g)])
    attr = torch.rand(50, 3, generator=g)
    attr[row == 13, 0] = 0.0
    return torch.randn(20, 10, generator=g), torch.stack([row, col]), attr, torch.randint(0, 4, (20,), generator=g)


def compute_loss(model, batch):
    x, index, attr, y = batch
    return F.cross_entropy(model(x, index, attr), y)
