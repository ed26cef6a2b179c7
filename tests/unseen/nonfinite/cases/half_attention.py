import torch
import torch.nn as nn


class HalfAttention(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
        self.scale = d ** -0.5

    def forward(self, x):
        q, k, v = self.q(x), self.k(x), self.v(x)
        energy = torch.matmul(q, k.transpose(1, 2))
        return torch.softmax(energy * self.scale, -1) @ v


class PatchNet(nn.Module):
    def __init__(self, d=64, classes=5):
        super().__init__()
        self.inp = nn.Linear(24, d)
        self.attn = HalfAttention(d)
        self.out = nn.Linear(d, classes)

    def forward(self, x):
        h = self.inp(x)
        return self.out((h + self.attn(h)).mean(1))


def build_model():
    torch.manual_seed(211)
    return PatchNet().half()


def make_batch():
    g = torch.Generator().manual_seed(212)
    x = (torch.rand(4, 6, 24, generator=g) * 1023).half()
    return x, torch.randint(0, 5, (4,), generator=g)


def compute_loss(model, batch):
    x, y = batch
    return nn.functional.cross_entropy(model(x).float(), y)
