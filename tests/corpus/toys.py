"""Small data sets and shared steps of the healthy cases: learnable in seconds, different in kind."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def blobs(rows: int = 64, features: int = 16, classes: int = 4, spread: float = 0.7) -> tuple[Tensor, Tensor]:
    """Gaussian clusters around one centre per class."""
    labels = torch.arange(rows) % classes
    return torch.randn(classes, features)[labels] + spread * torch.randn(rows, features), labels


def pictures(
    rows: int = 16, channels: int = 3, size: int = 16, classes: int = 4, noise: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Smooth class templates with pixel noise, zero mean and about unit variance."""
    labels = torch.arange(rows) % classes
    templates = F.interpolate(torch.randn(classes, channels, 4, 4), size=size, mode="bilinear")
    return templates[labels] * 1.5 + noise * torch.randn(rows, channels, size, size), labels


def surface(rows: int = 64, features: int = 8, noise: float = 0.05) -> tuple[Tensor, Tensor]:
    """A smooth non-linear function of standard normal features, with a little noise."""
    x = torch.randn(rows, features)
    y = torch.sin(x[:, :1]) + 0.5 * x[:, 1:2] * x[:, 2:3] + noise * torch.randn(rows, 1)
    return x, y


def sentences(rows: int = 16, length: int = 12, vocabulary: int = 50) -> Tensor:
    """Token sequences that follow a noisy successor rule, ids from 1 (0 is free for padding)."""
    start = torch.randint(1, vocabulary, (rows, 1))
    stride = torch.randint(1, 4, (rows, 1))
    return (start + stride * torch.arange(length) - 1) % (vocabulary - 1) + 1


def waves(rows: int = 16, length: int = 30) -> tuple[Tensor, Tensor]:
    """Sine waves (rows, length, 1), and the frequency class of each."""
    labels = torch.arange(rows) % 4
    frequency = 0.15 * (1 + labels)[:, None] * torch.arange(length)[None, :]
    signal = torch.sin(frequency + 6 * torch.rand(rows, 1)) + 0.1 * torch.randn(rows, length)
    return signal[..., None], labels


def mlp(*sizes: int, act: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """A stack of Linear layers with an activation between them."""
    layers: list[nn.Module] = []
    for wide, narrow in pairwise(sizes):
        layers += [nn.Linear(wide, narrow), act()]
    return nn.Sequential(*layers[:-1])


def classify(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Cross entropy of the model's logits."""
    x, y = batch
    return F.cross_entropy(model(x), y)


def regress(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Mean squared error of the model's output."""
    x, y = batch
    return F.mse_loss(model(x), y)


def next_token(model: nn.Module, batch: tuple[Tensor]) -> Tensor:
    """Cross entropy of every token given those before it."""
    (ids,) = batch
    logits = model(ids[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


def fit(model, batch, step, steps=200, lr=1e-2):
    """Train in place with Adam; what a converged or pretrained case does before it is handed over."""
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)
    for _ in range(steps):
        optimiser.zero_grad()
        step(model, batch).backward()
        optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return model
