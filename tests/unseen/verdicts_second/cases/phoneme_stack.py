import torch
import torch.nn as nn


def layer(i, o):
    return nn.Sequential(nn.Linear(i, o, bias=False), nn.BatchNorm1d(o), nn.ReLU())


class PhonemeStack(nn.Module):
    def __init__(self, width=64, depth=72, classes=6):
        super().__init__()
        self.body = nn.Sequential(layer(26, width), *[layer(width, width) for _ in range(depth)])
        self.logits = nn.Linear(width, classes)

    def forward(self, x):
        return self.logits(self.body(x))


def build_model():
    torch.manual_seed(4815)
    return PhonemeStack()


def make_batch():
    g = torch.Generator().manual_seed(4816)
    y = torch.arange(96) % 6
    centre = 1.2 * torch.randn(6, 26, generator=g)
    return centre[y] + torch.randn(96, 26, generator=g), y


def compute_loss(model, batch):
    x, y = batch
    return nn.functional.cross_entropy(model(x), y)
