import torch
import torch.nn as nn
import torch.nn.functional as F


class BagPool(nn.Module):
    """One learned query looks over all cells of a bag."""

    def __init__(self, n_in, d=256):
        super().__init__()
        self.key = nn.Linear(n_in, d)
        self.value = nn.Linear(n_in, d)
        self.query = nn.Parameter(torch.randn(d))
        self.scale = d ** 0.5

    def forward(self, bag):
        w = torch.softmax(self.scale * (self.key(bag) @ self.query), dim=1)
        return (w.unsqueeze(-1) * self.value(bag)).sum(1)


class BagNet(nn.Module):
    def __init__(self, n_in=20, d=256, classes=4):
        super().__init__()
        self.pool = BagPool(n_in, d)
        self.norm = nn.LayerNorm(d)
        self.fc1 = nn.Linear(d, 64)
        self.fc2 = nn.Linear(64, classes)

    def forward(self, bag):
        return self.fc2(F.relu(self.fc1(self.norm(self.pool(bag)))))


def build_model():
    torch.manual_seed(4917)
    return BagNet()


def make_batch(bags=256, cells=16):
    g = torch.Generator().manual_seed(4918)
    tissue = torch.randint(4000, 62000, (6, 20), generator=g).float()      # 16-bit stain intensities
    tissue[:, 0] = 4000.0
    x = tissue[torch.randint(0, 6, (bags, cells), generator=g)]
    y = torch.randint(0, 4, (bags,), generator=g)
    spot = torch.randint(0, cells, (bags,), generator=g)
    r = torch.arange(bags)
    x[r, spot, 0] = 62000.0
    x[r, spot, 1:5] = 5000.0
    x[r, spot, 1 + y] = 60000.0
    return (x + 2500 * torch.rand(bags, cells, 20, generator=g)).round(), y


def compute_loss(model, batch):
    x, y = batch
    return F.cross_entropy(model(x), y)
