import torch
import torch.nn as nn
import torch.nn.functional as F


def six_to_matrix(d6):
    a, b = d6[..., :3], d6[..., 3:]
    x = F.normalize(a, dim=-1)
    y = F.normalize(b - (x * b).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -2)


def geodesic(r1, r2):
    m = r1 @ r2.transpose(-1, -2)
    cos = (m.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    cos = cos.clamp(-1.0, 1.0)
    return torch.acos(cos)


class PoseNet(nn.Module):
    """Camera orientation relative to the first frame."""

    def __init__(self, feats=32, d=48):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(feats, d), nn.GELU(), nn.Linear(d, d), nn.GELU())
        self.head = nn.Linear(d, 6)
        nn.init.zeros_(self.head.weight)
        self.head.bias.data = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])

    def forward(self, x):
        return six_to_matrix(self.head(self.trunk(x)))


def build_model():
    torch.manual_seed(11)
    return PoseNet()


def make_batch():
    g = torch.Generator().manual_seed(12)
    x = torch.randn(8, 32, generator=g)
    angle = torch.rand(8, generator=g) * 0.6 + 0.2
    angle[0] = 0.0
    c, s, o, l = angle.cos(), angle.sin(), torch.zeros(8), torch.ones(8)
    rot = torch.stack([c, -s, o, s, c, o, o, o, l], -1).view(8, 3, 3)
    return x, rot


def compute_loss(model, batch):
    x, rot = batch
    return geodesic(model(x), rot).mean()
