import torch
import torch.nn as nn
import torch.nn.functional as F


def squash(s, dim=-1):
    n2 = (s ** 2).sum(dim, keepdim=True)
    return n2 / (1 + n2) * s / (n2.sqrt() + 1e-8)


class Capsules(nn.Module):
    def __init__(self, n_in, d_in, n_out, d_out, rounds=3):
        super().__init__()
        self.W = nn.Parameter(0.05 * torch.randn(n_out, n_in, d_out, d_in))
        self.rounds = rounds

    def forward(self, u):                                             # B I d
        hat = torch.einsum("oijd,bid->boij", self.W, u)
        stop = hat.detach()
        b = torch.zeros(u.size(0), self.W.size(0), self.W.size(1))
        for r in range(self.rounds):
            c = F.softmax(b, dim=1).unsqueeze(-1)
            if r == self.rounds - 1:
                return squash((c * hat).sum(2))
            v = squash((c * stop).sum(2))
            b = b + (stop * v.unsqueeze(2)).sum(-1)


class CapsNet(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 5)
        self.primary = nn.Conv2d(16, 32, 5, stride=2)
        self.digits = Capsules(4 * 4 * 4, 8, classes, 12)

    def forward(self, x):
        h = self.primary(F.relu(self.conv(x)))
        u = h.view(x.size(0), 4, 8, 4, 4).permute(0, 1, 3, 4, 2).reshape(x.size(0), -1, 8)
        return self.digits(squash(u)).norm(dim=-1)


def build_model():
    torch.manual_seed(260)
    return CapsNet()


def make_batch(n=60):
    g = torch.Generator().manual_seed(261)
    y = torch.arange(n) % 5
    proto = (torch.rand(5, 1, 4, 4, generator=g) > 0.5).float()
    x = F.interpolate(proto, size=(16, 16))[y]
    return x + 0.15 * torch.randn(n, 1, 16, 16, generator=g), y


def loss(lengths, y):
    t = F.one_hot(y, 5).float()
    pos = F.relu(0.9 - lengths) ** 2
    neg = F.relu(lengths - 0.1) ** 2
    return (t * pos + 0.5 * (1 - t) * neg).sum(1).mean()
