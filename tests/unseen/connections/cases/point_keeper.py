import torch
import torch.nn as nn
import torch.nn.functional as F


class PointKeeper(nn.Module):
    """Scores the points of a cloud, drops the low ones and pools what is left."""

    def __init__(self, dim=32, classes=4):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(3, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.score = nn.Linear(dim, 1)
        self.head = nn.Linear(dim, classes)

    def forward(self, points):
        h = self.embed(points)
        s = torch.sigmoid(self.score(h))
        keep = (s > s.mean(1, keepdim=True)).float()
        h = torch.relu(h) * keep * s
        return self.head(h.sum(1) / keep.sum(1).clamp(min=1))


def build_model():
    torch.manual_seed(445)
    return PointKeeper()


def make_batch(n=128):
    g = torch.Generator().manual_seed(446)
    y = torch.randint(0, 4, (n,), generator=g)
    pts = torch.randn(n, 40, 3, generator=g)
    axis = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [1.0, 1.0, 1.0]])
    pts[:, :10] = 0.3 * pts[:, :10] + 2.0 * axis[y][:, None]
    return pts, y


def compute_loss(model, batch):
    pts, y = batch
    return F.cross_entropy(model(pts), y)
