"""Healthy contrastive and self-supervised learning: sharp temperatures, stopped gradients, momentum."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import healthy
from tests.corpus.toys import blobs, fit, mlp
from tests.corpus.trained import falls, trains


def views(rows: int = 64, features: int = 16) -> tuple[Tensor, Tensor]:
    """Two noisy copies of the same rows."""
    x = torch.randn(rows, features)
    return x + 0.4 * torch.randn_like(x), x + 0.4 * torch.randn_like(x)


def projector(*sizes: int) -> nn.Sequential:
    """Linear, BatchNorm, ReLU, Linear: the projection head of many methods."""
    wide, hidden, narrow = sizes
    return nn.Sequential(
        nn.Linear(wide, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True), nn.Linear(hidden, narrow)
    )


def info_nce(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Cross entropy of each row of `a` against all rows of `b`."""
    logits = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / temperature
    return F.cross_entropy(logits, torch.arange(len(a)))


@healthy(field="contrastive", tricky="temperature 0.07: the softmax is sharp and most negatives get nothing")
def simclr_temperature_007():
    """InfoNCE between two views."""
    return projector(16, 64, 16), views(), lambda m, b: info_nce(m(b[0]), m(b[1]), 0.07)


class CLIP(nn.Module):
    """Two towers and a learned logit scale that starts at log(1 / 0.07)."""

    def __init__(self):
        super().__init__()
        self.image, self.text = mlp(16, 64, 16, act=nn.GELU), mlp(16, 64, 16, act=nn.GELU)
        self.logit_scale = nn.Parameter(torch.tensor(2.6593))

    def forward(self, image, text):
        a, b = F.normalize(self.image(image), dim=1), F.normalize(self.text(text), dim=1)
        return self.logit_scale.exp() * a @ b.T


@healthy(field="contrastive", tricky="a scalar parameter beside large towers; its gradient is of another order")
def clip_two_towers():
    """Symmetric cross entropy over the matrix of similarities."""

    def step(model, batch):
        logits = model(*batch)
        target = torch.arange(len(logits))
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2

    return CLIP(), views(), step


class Siamese(nn.Module):
    """Encoder, projector and predictor of SimSiam."""

    def __init__(self):
        super().__init__()
        self.encoder, self.predictor = projector(16, 64, 16), projector(16, 8, 16)

    def forward(self, a, b):
        za, zb = self.encoder(a), self.encoder(b)
        return self.predictor(za), self.predictor(zb), za.detach(), zb.detach()


@healthy(field="contrastive", tricky="stop-gradient on one side; the loss is a negative cosine", proof=falls(0.3))
def simsiam_stop_gradient():
    """Half of the graph is detached on purpose."""

    def step(model, batch):
        pa, pb, za, zb = model(*batch)
        return -(F.cosine_similarity(pa, zb).mean() + F.cosine_similarity(pb, za).mean()) / 2

    return Siamese(), views(), step


class BYOL(nn.Module):
    """Online encoder with predictor; the target is a momentum copy."""

    def __init__(self):
        super().__init__()
        self.online, self.predictor = projector(16, 64, 16), mlp(16, 32, 16)
        self.target = copy.deepcopy(self.online)

    @torch.no_grad()
    def track(self, momentum: float = 0.99):
        for slow, fast in zip(self.target.parameters(), self.online.parameters(), strict=True):
            slow.lerp_(fast, 1 - momentum)

    def forward(self, a, b):
        with torch.no_grad():
            target = self.target(b)
        return F.cosine_similarity(self.predictor(self.online(a)), target)


@healthy(
    field="contrastive",
    tricky="the target's parameters require grad, run, and get none: it follows by moving average",
    proof=trains(still=("target",)),
)
def byol_momentum_target():
    """BYOL; the target moves by exponential average in each step."""

    def step(model, batch):
        model.track()
        return 2 - (model(*batch) + model(*batch[::-1])).mean()

    return BYOL(), views(), step


@healthy(field="contrastive", tricky="most triplets keep the margin: their gradient is exactly 0")
def triplet_partly_satisfied():
    """Triplet margin loss on labelled rows, some steps into training."""
    x, y = blobs(96, 16, 8, spread=1.2)
    anchor = torch.arange(96)
    positive = torch.tensor([next(j for j in torch.randperm(96).tolist() if y[j] == y[i] and j != i) for i in anchor])
    negative = torch.tensor([next(j for j in torch.randperm(96).tolist() if y[j] != y[i]) for i in anchor])

    def step(model, batch):
        return F.triplet_margin_loss(*(model(part) for part in batch), margin=0.5)

    batch = (x, x[positive], x[negative])
    return fit(mlp(16, 32, 4), batch, step, 4), batch, step


@healthy(field="contrastive", tricky="off-diagonal terms weigh 5e-3; a sum over a matrix of correlations")
def barlow_twins():
    """Cross-correlation of two views driven to the identity."""

    def step(model, batch):
        a, b = (F.batch_norm(model(view), None, None, training=True) for view in batch)
        c = a.T @ b / len(a)
        on = (c.diagonal() - 1).square().sum()
        return on + 5e-3 * (c.square().sum() - c.diagonal().square().sum())

    return projector(16, 64, 24), views(), step


class MomentumContrast(nn.Module):
    """MoCo: a key encoder without gradients and a queue of old keys."""

    def __init__(self):
        super().__init__()
        self.query = projector(16, 64, 16)
        self.key = copy.deepcopy(self.query).requires_grad_(False)
        self.register_buffer("queue", F.normalize(torch.randn(256, 16), dim=1))

    def forward(self, a, b):
        q = F.normalize(self.query(a), dim=1)
        with torch.no_grad():
            k = F.normalize(self.key(b), dim=1)
        return torch.cat([(q * k).sum(1, keepdim=True), q @ self.queue.T], 1) / 0.1


@healthy(field="contrastive", tricky="frozen key encoder, constant negatives from a buffer")
def moco_queue():
    """Momentum contrast with 256 stored negatives."""

    def step(model, batch):
        logits = model(*batch)
        return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))

    return MomentumContrast(), views(), step


@healthy(field="contrastive", tricky="skip-gram: vectors start at 0 on one side, one side has no gradient at first")
def word2vec_negative_sampling():
    """Word vectors as in the original code: outputs start at zero, inputs at 0.5/dim."""

    class SkipGram(nn.Module):
        def __init__(self, words: int = 300, dim: int = 16):
            super().__init__()
            self.inside, self.outside = nn.Embedding(words, dim), nn.Embedding(words, dim)
            nn.init.uniform_(self.inside.weight, -0.5 / dim, 0.5 / dim)
            nn.init.zeros_(self.outside.weight)

        def forward(self, centre, others):
            return torch.einsum("bd,bnd->bn", self.inside(centre), self.outside(others))

    centre = torch.randint(0, 30, (128,))
    others = torch.cat([(centre[:, None] + 1) % 30, torch.randint(30, 300, (128, 5))], 1)

    def step(model, batch):
        score = model(*batch)
        return -F.logsigmoid(score[:, 0]).mean() - F.logsigmoid(-score[:, 1:]).sum(1).mean()

    return SkipGram(), (centre, others), step
