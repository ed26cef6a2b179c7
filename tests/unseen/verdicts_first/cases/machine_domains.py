"""Fault classes that transfer from one test bench to another."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.autograd import Function


class ReverseLayerF(Function):
    @staticmethod
    def forward(ctx, x, alpha):
        ctx.alpha = alpha
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.neg() * ctx.alpha, None


class DANN(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.sensor = nn.Sequential(nn.Linear(30, 40), nn.ReLU())        # from the old project
        self.feature = nn.Sequential(nn.Linear(40, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU())
        self.class_classifier = nn.Linear(32, classes)
        self.domain_classifier = nn.Sequential(nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 2))
        for p in self.sensor.parameters():
            p.requires_grad = False

    def forward(self, x, alpha):
        f = self.feature(self.sensor(x))
        return self.class_classifier(f), self.domain_classifier(ReverseLayerF.apply(f, alpha))


def build_model():
    torch.manual_seed(3)
    return DANN()


def make_batch(n=60):
    g = torch.Generator().manual_seed(30)
    sig = torch.randn(5, 30, generator=g)
    ys = torch.arange(n) % 5
    src = sig[ys] + 0.6 * torch.randn(n, 30, generator=g)
    tgt = sig[torch.randint(0, 5, (n,), generator=g)] + 0.6 * torch.randn(n, 30, generator=g) + 0.4
    return src, ys, tgt


def training_step(model, batch):
    src, ys, tgt = batch
    alpha = 0.0025                       # 2 / (1 + exp(-10 p)) - 1 in the first epoch
    cls, dom_s = model(src, alpha)
    _, dom_t = model(tgt, alpha)
    domain = F.cross_entropy(dom_s, torch.zeros(len(src), dtype=torch.long)) + F.cross_entropy(dom_t, torch.ones(len(tgt), dtype=torch.long))
    return F.cross_entropy(cls, ys) + domain
