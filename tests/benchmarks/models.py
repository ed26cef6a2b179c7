"""What the overhead is measured on: a model, a batch, and a loss of (output, target), by name."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class Case(NamedTuple):
    """A model with one batch for it."""

    model: nn.Module
    inputs: Tensor
    target: Tensor

    def loss(self) -> Tensor:
        """One forward pass, as a training loop would write it."""
        return cross_entropy(self.model(self.inputs), self.target)


class Block(nn.Module):
    """Two convolutions and a shortcut, as in ResNet-18."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        same = before == after and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class Transformer(nn.Module):
    """An encoder of words with a decoder into the vocabulary."""

    def __init__(self, vocabulary: int, width: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        layer = nn.TransformerEncoderLayer(width, 8, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.encoder(self.embed(words))).flatten(0, 1)


class LastStep(nn.Module):
    """An LSTM whose last output is classified."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, width, batch_first=True)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])


def cnn() -> Case:
    widths = (64, 64, 64, 128, 128, 256, 256, 512, 512)
    blocks = [Block(a, b, 1 if a == b else 2) for a, b in pairwise(widths)]
    stem = (nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
    model = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
    return Case(model, torch.randn(32, 3, 32, 32), torch.randint(10, (32,)))


def transformer() -> Case:
    words = torch.randint(8000, (4, 129))
    return Case(Transformer(8000, 512, 8), words[:, :-1], words[:, 1:].flatten())


def lstm() -> Case:
    return Case(LastStep(32, 128), torch.randn(32, 200, 32), torch.randint(10, (32,)))


def chain(layers: int = 10_000) -> Case:
    """Layers so small that only the bookkeeping of each op counts."""
    parts = [part for _ in range(layers) for part in (nn.Linear(8, 8), nn.Tanh())]
    return Case(nn.Sequential(*parts), torch.randn(16, 8), torch.randint(8, (16,)))


CASES: dict[str, Callable[[], Case]] = {"cnn": cnn, "transformer": transformer, "lstm": lstm, "chain": chain}


class Elementwise(nn.Module):
    """As many ops as asked for, one parameter."""

    def __init__(self, ops: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8))
        self.ops = ops

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.scale
        for _ in range(self.ops // 2):
            x = torch.sin(x).exp()
        return x


def elementwise(ops: int) -> Case:
    return Case(Elementwise(ops), torch.randn(16, 8), torch.randint(8, (16,)))
