"""Healthy images, continued: frozen, lazy, binarised, checkpointed nets and odd losses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from tests.corpus.case import healthy
from tests.corpus.healthy_vision import BasicBlock, conv_stage, pooled_head
from tests.corpus.toys import classify, mlp, pictures
from tests.corpus.trained import trains


class FrozenBackbone(nn.Module):
    """A fixed feature extractor in eval mode under a head that learns."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(conv_stage(3, 16), conv_stage(16, 32, 2))
        self.backbone.eval().requires_grad_(False)
        self.head = pooled_head(32)

    def train(self, mode: bool = True):
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x):
        return self.head(self.backbone(x))


@healthy(field="vision", tricky="most parameters have no gradient at all: they are frozen on purpose")
def frozen_backbone():
    """Linear probing: requires_grad is False for the backbone."""
    return FrozenBackbone(), pictures(), classify


@healthy(field="vision", tricky="BatchNorm in eval mode, its affine parameters frozen, running statistics used")
def fine_tune_frozen_batchnorm():
    """Fine-tuning with frozen normalisation: the convolutions learn, BatchNorm does not."""
    model = nn.Sequential(conv_stage(3, 16), BasicBlock(16), BasicBlock(16), pooled_head(16))
    x, y = pictures()
    with torch.no_grad():
        for _ in range(20):
            model(x)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval().requires_grad_(False)
    return model, (x, y), classify


class EarlyExit(nn.Module):
    """Three stages, a classifier after each."""

    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleDict(
            {"low": conv_stage(3, 8), "mid": conv_stage(8, 16, 2), "high": conv_stage(16, 32, 2)}
        )
        self.exits = nn.ModuleDict({"low": pooled_head(8), "mid": pooled_head(16), "high": pooled_head(32)})

    def forward(self, x):
        logits = {}
        for name, stage in self.stages.items():
            x = stage(x)
            logits[name] = self.exits[name](x)
        return logits


@healthy(field="vision", tricky="several losses; early stages receive more than late ones")
def early_exit_deep_supervision():
    """Deep supervision: each exit has a loss with its own weight; the output is a dict."""
    weights = {"low": 0.1, "mid": 0.3, "high": 1.0}

    def step(model, batch):
        logits = model(batch["image"])
        return sum(w * F.cross_entropy(logits[k], batch["label"]) for k, w in weights.items())

    x, y = pictures()
    return EarlyExit(), {"image": x, "label": y}, step


class AuxiliaryNet(nn.Module):
    """A trunk with a main head and an auxiliary one, as in Inception."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(conv_stage(3, 16), conv_stage(16, 16, 2))
        self.main, self.auxiliary = pooled_head(16), pooled_head(16, 9)

    def forward(self, x):
        features = self.trunk(x)
        return self.main(features), self.auxiliary(features)


@healthy(
    field="vision",
    tricky="the auxiliary head ran, but its output is not used in this loss",
    proof=trains(still=("auxiliary",)),
)
def auxiliary_head_not_in_loss():
    """The second output is ignored by this step, as when fine-tuning on one task of two."""

    def step(model, batch):
        logits, _ = model(batch[0])
        return F.cross_entropy(logits, batch[1])

    return AuxiliaryNet(), pictures(), step


class StochasticDepth(nn.Module):
    """A residual trunk whose branches are skipped at random in training."""

    def __init__(self, keep: float = 0.8):
        super().__init__()
        self.keep = keep
        self.stem = conv_stage(3, 16)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.SiLU(inplace=True)) for _ in range(8)
        )
        self.head = pooled_head(16)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            if not self.training or torch.rand(()) < self.keep:
                x = x + block(x)
        return self.head(x)


@healthy(field="vision", tricky="some blocks are skipped in this very pass and get no gradient")
def stochastic_depth_skips_blocks():
    """Stochastic depth that does not call a dropped block."""
    return StochasticDepth(), pictures(), classify


class Checkpointed(nn.Module):
    """Blocks recomputed in the backward pass."""

    def __init__(self, reentrant: bool):
        super().__init__()
        self.reentrant = reentrant
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(4, 16), nn.GELU(), nn.Conv2d(16, 16, 3, padding=1)) for _ in range(3)
        )
        self.head = pooled_head(16)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + checkpoint(block, x, use_reentrant=self.reentrant)
        return self.head(x)


@healthy(field="vision", tricky="the graph of the blocks exists only while the backward pass recomputes it")
def checkpoint_reentrant():
    """Gradient checkpointing, re-entrant kind: one opaque node a block."""
    return Checkpointed(True), pictures(), classify


@healthy(field="vision", tricky="saved tensors are recomputed in the backward pass, not stored")
def checkpoint_non_reentrant():
    """Gradient checkpointing, the kind that works through saved-tensor hooks."""
    return Checkpointed(False), pictures(), classify


@healthy(field="vision", tricky="mixed labels: loss cannot reach 0")
def mixup_soft_targets():
    """Mixup: images and one-hot labels are blended, cross entropy takes probabilities."""
    x, y = pictures(32)
    lam, other = torch.rand(32, 1).mul(0.3), torch.randperm(32)
    onehot = F.one_hot(y, 4).float()
    batch = (torch.lerp(x, x[other], lam[:, :, None, None]), torch.lerp(onehot, onehot[other], lam))
    return nn.Sequential(conv_stage(3, 16), conv_stage(16, 32, 2), pooled_head(32)), batch, classify


@healthy(field="vision", tricky="dropout of one half silences many units in every pass")
def vgg_dropout_half():
    """A VGG-like net: in-place ReLU everywhere, dropout 0.5 in the classifier."""
    relu, drop = nn.ReLU(inplace=True), nn.Dropout(0.5)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), relu, nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), relu,
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 64), relu, drop, nn.Linear(64, 64), relu, drop,
        nn.Linear(64, 4),
    )  # fmt: skip
    return model, pictures(), classify


@healthy(field="vision", tricky="lazy parameters have no shape until a dry run")
def lazy_modules_dry_run():
    """Lazy layers, materialised by one forward pass as the docs advise."""
    model = nn.Sequential(nn.LazyConv2d(16, 3, 2), nn.ReLU(), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(4))
    x, y = pictures()
    model(x)
    return model, (x, y), classify


@healthy(field="vision", tricky="bfloat16 has three digits: norms measured in it are coarse")
def bfloat16_cnn():
    """A model held in bfloat16 altogether; the loss is computed in float32."""
    x, y = pictures()

    def step(model, batch):
        return F.cross_entropy(model(batch[0]).float(), batch[1])

    model = nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.GELU(), nn.Conv2d(16, 32, 3, 2), nn.GELU(), pooled_head(32))
    return model.to(torch.bfloat16), (x.bfloat16(), y), step


class Capsules(nn.Module):
    """Primary capsules routed to class capsules by agreement, written with einsum."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 5, 3)
        self.weight = nn.Parameter(0.1 * torch.randn(4, 64, 8, 8))

    @staticmethod
    def squash(x):
        square = (x * x).sum(-1, keepdim=True)
        return square / (1 + square) * x * torch.rsqrt(square + 1e-8)

    def forward(self, x):
        primary = self.squash(F.relu(self.conv(x)).flatten(1).unflatten(1, (64, 8)))
        votes = torch.einsum("bid,cide->bcie", primary, self.weight)
        agreement = torch.zeros(votes.shape[:3])
        for _ in range(3):
            share = agreement.softmax(1)
            output = self.squash(torch.einsum("bci,bcie->bce", share, votes))
            agreement = agreement + torch.einsum("bcie,bce->bci", votes.detach(), output.detach())
        return output.norm(dim=-1)


@healthy(field="vision", tricky="margin loss with hinges, detached routing and squashed short vectors")
def capsule_routing():
    """A capsule net with dynamic routing; the agreement is detached as in common code."""

    def step(model, batch):
        length, present = model(batch[0]), F.one_hot(batch[1], 4)
        positive = present * F.relu(0.9 - length) ** 2
        negative = 0.5 * (1 - present) * F.relu(length - 0.1) ** 2
        return (positive + negative).sum(1).mean()

    return Capsules(), pictures(16, 3, 16), step


class Straight(torch.autograd.Function):
    """sign() forward, clipped identity backward."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sign()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (x.abs() <= 1)


class BinaryConv(nn.Conv2d):
    """A convolution with binarised weights and activations."""

    def forward(self, x):
        scale = self.weight.detach().abs().mean((1, 2, 3), keepdim=True)
        return F.conv2d(Straight.apply(x), Straight.apply(self.weight) * scale, self.bias, padding=1)


@healthy(field="vision", tricky="sign() has slope 0; a straight-through estimator replaces it")
def binarised_cnn():
    """An XNOR-like net with a custom autograd Function."""
    binary = [layer for i in (16, 32) for layer in (BinaryConv(i, 32, 3), nn.BatchNorm2d(32))]
    model = nn.Sequential(conv_stage(3, 16), nn.BatchNorm2d(16), *binary, pooled_head(32))
    return model, pictures(), classify


@healthy(field="vision", tricky="focal loss down-weights easy pixels until most gradients are tiny")
def focal_dense_detection():
    """Dense detection with one positive in 128 places, prior bias -4.6 as in RetinaNet."""
    x = 0.3 * torch.randn(8, 3, 16, 16)
    target = torch.zeros(8, 1, 16, 16)
    spots = torch.randint(1, 15, (8, 2, 2))
    for i in range(8):
        for r, c in spots[i].tolist():
            target[i, 0, r, c] = 1
            x[i, :, r - 1 : r + 2, c - 1 : c + 2] += 2

    def step(model, batch):
        logits, y = model(batch[0]), batch[1]
        ce = F.binary_cross_entropy_with_logits(logits, y, reduction="none")
        pt = torch.exp(-ce)
        return ((0.25 * y + 0.75 * (1 - y)) * (1 - pt) ** 2 * ce).sum() / y.sum()

    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 1, 1),
    )  # fmt: skip
    nn.init.constant_(model[-1].bias, -4.6)
    return model, (x, target), step


class Mixer(nn.Module):
    """MLP-Mixer blocks: token mixing and channel mixing."""

    def __init__(self, tokens: int = 16, dim: int = 32, depth: int = 4):
        super().__init__()
        self.patch = nn.Conv2d(3, dim, 4, 4)
        self.mix = nn.ModuleList(mlp(tokens, 32, tokens, act=nn.GELU) for _ in range(depth))
        self.channel = nn.ModuleList(mlp(dim, 64, dim, act=nn.GELU) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2 * depth + 1))
        self.head = nn.Linear(dim, 4)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, image):
        x = self.patch(image).flatten(2).mT
        for i, (mix, channel) in enumerate(zip(self.mix, self.channel, strict=True)):
            x = x + mix(self.norms[2 * i](x).mT).mT
            x = x + channel(self.norms[2 * i + 1](x))
        return self.head(self.norms[-1](x).mean(1))


@healthy(field="vision", tricky="zero-initialised head: every layer below it has gradient exactly 0 at step 0")
def mixer_zero_head():
    """An MLP-Mixer whose classifier starts at zero, the default in several code bases."""
    return Mixer(), pictures(), classify
