"""Two views are assigned to prototypes, balanced by Sinkhorn's iterations."""
import torch
import torch.nn as nn
import torch.nn.functional as F

EPSILON = 0.05


class Views(nn.Module):
    def __init__(self, inputs=48, width=32, prototypes=16):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(inputs, 96), nn.ReLU(), nn.Linear(96, width))
        self.prototypes = nn.Linear(width, prototypes, bias=False)

    def forward(self, x):
        return self.prototypes(self.encode(x))


@torch.no_grad()
def balanced(scores):
    q = torch.exp(scores / EPSILON).t()
    q /= q.sum()
    k, b = q.shape
    for _ in range(3):
        q /= q.sum(1, keepdim=True) * k
        q /= q.sum(0, keepdim=True) * b
    return (q * b).t()


def build_model():
    torch.manual_seed(561)
    return Views()


def make_batch():
    g = torch.Generator().manual_seed(562)
    x = 12 * torch.randn(40, 48, generator=g)
    return x + torch.randn(40, 48, generator=g), x + torch.randn(40, 48, generator=g)


def compute_loss(model, batch):
    one, two = batch
    a, b = model(one), model(two)
    p, q = F.log_softmax(a / 0.5, -1), F.log_softmax(b / 0.5, -1)
    return -0.5 * ((balanced(b) * p).sum(-1) + (balanced(a) * q).sum(-1)).mean()
