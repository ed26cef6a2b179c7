"""Healthy generative models, continued: diffusion, scores, masks and teachers."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from tests.corpus.case import healthy
from tests.corpus.healthy_generative import moons
from tests.corpus.toys import mlp, pictures, surface
from tests.corpus.trained import trains


class Denoiser(nn.Module):
    """Predicts the noise from a noisy point and a sinusoidal time embedding."""

    def __init__(self):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(16, 64), nn.SiLU(), nn.Linear(64, 64))
        self.inputs, self.middle, self.out = nn.Linear(2, 64), nn.Linear(64, 64), nn.Linear(64, 2)

    def forward(self, x, t):
        angle = t[:, None] * 2 ** torch.arange(8)
        h = self.inputs(x) + self.time(torch.cat([angle.sin(), angle.cos()], 1))
        return self.out(F.silu(self.middle(F.silu(h))))


@healthy(field="generative", tricky="another noise level and target in every pass; the loss cannot reach 0")
def diffusion_denoiser():
    """DDPM on two moons with a cosine schedule."""

    def step(model, batch):
        (x,) = batch
        t, noise = torch.rand(len(x)), torch.randn_like(x)
        signal = torch.cos(t * math.pi / 2)[:, None]
        return F.mse_loss(model(signal * x + (1 - signal**2).sqrt() * noise, t), noise)

    return Denoiser(), (moons(),), step


class DiTBlock(nn.Module):
    """Transformer block with adaptive LayerNorm; its modulation starts at 0."""

    def __init__(self, dim: int):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(dim, elementwise_affine=False) for _ in range(2))
        self.attention = nn.MultiheadAttention(dim, 4, batch_first=True)
        self.mlp = mlp(dim, 2 * dim, dim, act=nn.GELU)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        nn.init.zeros_(self.modulation[1].weight)
        nn.init.zeros_(self.modulation[1].bias)

    def forward(self, x, c):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(c)[:, None].chunk(6, -1)
        h = self.norm1(x) * (1 + scale1) + shift1
        x = x + gate1 * self.attention(h, h, h, need_weights=False)[0]
        return x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)


class DiT(nn.Module):
    """Patches, time and label embedding, three blocks, zero-initialised output."""

    def __init__(self, dim: int = 32):
        super().__init__()
        self.patch, self.positions = nn.Linear(16, dim), nn.Parameter(0.02 * torch.randn(4, dim))
        self.time, self.label = mlp(1, dim, dim, act=nn.SiLU), nn.Embedding(4, dim)
        self.blocks = nn.ModuleList(DiTBlock(dim) for _ in range(3))
        self.out = nn.Linear(dim, 16)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x, t, label):
        patches = x.unfold(1, 4, 4).unfold(2, 4, 4).flatten(3).flatten(1, 2)
        h, c = self.patch(patches) + self.positions, self.time(t[:, None]) + self.label(label)
        for block in self.blocks:
            h = block(h, c)
        return self.out(h), patches


@healthy(
    field="generative",
    tricky="adaLN-zero: gates, modulation and output are all 0, so only `out` has a gradient",
)
def dit_adaln_zero():
    """A diffusion transformer block as published, trained by flow matching."""

    def step(model, batch):
        x, label = batch
        t, noise = torch.rand(len(x)), torch.randn_like(x)
        mixed = torch.lerp(noise, x, t[:, None, None])
        velocity, _ = model(mixed, t, label)
        target = (x - noise).unfold(1, 4, 4).unfold(2, 4, 4).flatten(3).flatten(1, 2)
        return F.mse_loss(velocity, target)

    x, y = pictures(64, 1, 8, noise=0.1)
    return DiT(), (2 * x.squeeze(1), y), step


class ReZeroNet(nn.Module):
    """Twelve residual branches, each behind a scalar that starts at 0."""

    def __init__(self, dim: int = 32):
        super().__init__()
        self.inputs, self.out = nn.Linear(64, dim), nn.Linear(dim, 64)
        self.branches = nn.ModuleList(mlp(dim, dim, dim) for _ in range(12))
        self.alpha = nn.Parameter(torch.zeros(12))

    def forward(self, x):
        x = self.inputs(x)
        for alpha, branch in zip(self.alpha, self.branches, strict=True):
            x = x + alpha * branch(x)
        return self.out(x)


@healthy(field="generative", tricky="ReZero: all 24 layers of the branches have gradient exactly 0 at first")
def rezero_autoencoder():
    """A denoising autoencoder with ReZero branches."""
    x, _ = pictures(64, 1, 8, noise=0.1)
    x = x.flatten(1)
    return ReZeroNet(), (x + 0.3 * torch.randn_like(x), x), lambda m, b: F.mse_loss(m(b[0]), b[1])


class EnergyModel(nn.Module):
    """An energy model: the score is the gradient of a scalar, itself differentiated in training."""

    def __init__(self):
        super().__init__()
        self.energy = mlp(2, 64, 64, 1, act=nn.SiLU)

    def forward(self, x):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return -torch.autograd.grad(self.energy(x).sum(), x, create_graph=True)[0]


@healthy(field="generative", tricky="the bias of the energy's last layer has no influence on the score")
def denoising_score_matching():
    """Score matching with an energy network at one noise level."""
    x = moons()
    noise = 0.3 * torch.randn_like(x)
    return EnergyModel(), (x + noise, -noise / 0.3), lambda m, b: F.mse_loss(0.3 * m(b[0]), b[1])


class Pixel(nn.Module):
    """Masked autoregressive net (MADE) over binary pixels: weights are multiplied by a mask."""

    def __init__(self, inputs: int = 36, hidden: int = 64):
        super().__init__()
        order, units = torch.arange(inputs), torch.arange(hidden) % (inputs - 1)
        self.first, self.second = nn.Linear(inputs, hidden), nn.Linear(hidden, inputs)
        self.register_buffer("mask1", (units[:, None] >= order[None]).float())
        self.register_buffer("mask2", (order[:, None] > units[None]).float())

    def forward(self, x):
        h = checkpoint(F.relu, F.linear(x, self.first.weight * self.mask1, self.first.bias), use_reentrant=False)
        return F.linear(h, self.second.weight * self.mask2, self.second.bias)


@healthy(field="generative", tricky="half of every weight is masked and has gradient exactly 0")
def masked_autoregressive_pixels():
    """MADE on binary pictures; the loss sums over pixels."""
    x, _ = pictures(64, 1, 6, noise=0.3)
    x = (x.flatten(1) > 0).float()

    def step(model, batch):
        return F.binary_cross_entropy_with_logits(model(batch[0]), batch[0], reduction="sum") / len(batch[0])

    return Pixel(), (x,), step


@healthy(field="generative", tricky="a teacher under no_grad; small temperature-scaled targets", proof=trains(0.3))
def distillation_from_teacher():
    """A student copies the softened outputs of a fixed teacher, times the temperature squared."""

    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.teacher, self.student = mlp(8, 64, 10), mlp(8, 16, 10)
            self.teacher.requires_grad_(False)

    def step(model, batch):
        with torch.no_grad():
            soft = (3 * model.teacher(batch[0]) / 4).softmax(1)
        return 16 * F.kl_div((model.student(batch[0]) / 4).log_softmax(1), soft, reduction="batchmean")

    return Pair(), surface(), step
