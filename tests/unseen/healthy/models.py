"""The nets of the healthy runs: small, and of every family."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn


class Shaped(nn.Module):
    """Reshapes each row."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.view(len(x), *self.shape)


def mlp(*sizes: int, act: Callable[[], nn.Module] = nn.ReLU, norm: bool = False, drop: float = 0.0) -> nn.Sequential:
    layers: list[nn.Module] = []
    for below, above in pairwise(sizes):
        layers.append(nn.Linear(below, above))
        layers += [nn.BatchNorm1d(above)] * norm + [act()] + [nn.Dropout(drop)] * (drop > 0)
    return nn.Sequential(*layers[: len(layers) - 1 - norm - (drop > 0)])


def cnn(classes: int, norm: bool = True, pooled: bool = False) -> nn.Sequential:
    """For rows of 64 pixels."""
    first = [nn.Conv2d(1, 12, 3, padding=1), *[nn.BatchNorm2d(12)] * norm, nn.ReLU(), nn.MaxPool2d(2)]
    second = [nn.Conv2d(12, 24, 3, padding=1), *[nn.GroupNorm(4, 24)] * norm, nn.ReLU()]
    end = (
        [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, classes)]
        if pooled
        else [nn.Flatten(), nn.Linear(384, classes)]
    )
    return nn.Sequential(Shaped(1, 8, 8), *first, *second, *end)


class Residual(nn.Module):
    """Blocks that add to what they are given."""

    def __init__(self, width: int, depth: int, classes: int, below: int) -> None:
        super().__init__()
        self.stem = nn.Linear(below, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
            for _ in range(depth)
        )
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


class Recurrent(nn.Module):
    """A GRU, LSTM or plain net over the rows of an image, or over characters, answering at the end or all along."""

    def __init__(self, kind: str, classes: int, *, letters: bool = False, width: int = 48) -> None:
        super().__init__()
        self.embed = nn.Embedding(classes, 24) if letters else Shaped(8, 8)
        self.cell = getattr(nn, kind)(24 if letters else 8, width, batch_first=True)
        self.head, self.letters = nn.Linear(width, classes), letters

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.cell(self.embed(x))
        return self.head(out if self.letters else out[:, -1])


class Transformer(nn.Module):
    """Two blocks over the rows of an image, or over characters, each of which sees those before it alone."""

    def __init__(self, classes: int, *, letters: bool = False, drop: float = 0.0, pre: bool = True) -> None:
        super().__init__()
        self.embed = nn.Embedding(classes, 32) if letters else nn.Sequential(Shaped(8, 8), nn.Linear(8, 32))
        self.place = nn.Parameter(torch.randn(24 if letters else 8, 32) * 0.02)
        block = nn.TransformerEncoderLayer(32, 4, 64, dropout=drop, batch_first=True, norm_first=pre)
        self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.head, self.letters = nn.Linear(32, classes), letters

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1] if self.letters else 8
        mask = nn.Transformer.generate_square_subsequent_mask(length) if self.letters else None
        h = self.blocks(self.embed(x) + self.place[:length], mask=mask)
        return self.head(h if self.letters else h.mean(1))


class Window(nn.Module):
    """Characters before the one that is asked for, each as a vector: the net of Bengio and others."""

    def __init__(self, classes: int, width: int = 8) -> None:
        super().__init__()
        self.embed = nn.Embedding(classes, 12)
        self.net = mlp(12 * width, 64, classes, act=nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.embed(x).flatten(1))


class Variational(nn.Module):
    """An encoder that gives mean and log variance, and a decoder that gives logits of the pixels."""

    def __init__(self, size: int, latent: int = 6) -> None:
        super().__init__()
        self.encoder, self.decoder = mlp(size, 64, 2 * latent), mlp(latent, 64, size)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_var = self.encoder(x).chunk(2, -1)
        return self.decoder(mean + torch.randn_like(mean) * (0.5 * log_var).exp()), mean, log_var


class Factors(nn.Module):
    """Two tables whose products are the ratings, with a bias each."""

    def __init__(self, users: int, items: int, rank: int, *, sparse: bool = False) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(users, rank, sparse=sparse), nn.Embedding(items, rank, sparse=sparse)
        self.bias = nn.Embedding(items, 1, sparse=sparse)
        for table in (self.users, self.items, self.bias):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, pairs: Tensor) -> Tensor:
        user, item = pairs.unbind(1)
        return (self.users(user) * self.items(item)).sum(1) + self.bias(item)[:, 0]
