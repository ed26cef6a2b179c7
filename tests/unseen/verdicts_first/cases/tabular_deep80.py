"""Deep tabular classifier: Linear - BatchNorm - ReLU, many times."""
import torch
import torch.nn as nn


def block(i, o):
    return nn.Sequential(nn.Linear(i, o, bias=False), nn.BatchNorm1d(o), nn.ReLU())


class DeepTabular(nn.Module):
    def __init__(self, features=20, width=48, depth=80, classes=5):
        super().__init__()
        self.inp = block(features, width)
        self.blocks = nn.ModuleList([block(width, width) for _ in range(depth)])
        self.cls = nn.Linear(width, classes)

    def forward(self, x):
        x = self.inp(x)
        for b in self.blocks:
            x = b(x)
        return self.cls(x)


def build_model():
    torch.manual_seed(80)
    return DeepTabular()


def make_batch(n=128):
    g = torch.Generator().manual_seed(81)
    y = torch.randint(0, 5, (n,), generator=g)
    centers = torch.randn(5, 20, generator=g)
    return centers[y] + 0.6 * torch.randn(n, 20, generator=g), y


criterion = nn.CrossEntropyLoss()
