"""Data and small building blocks that the labelled models share.

Data is made before the model, so that a case and its twin see the same batch.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import Built


def supervised(model: nn.Module, x: Tensor, y: Tensor, loss: Callable = F.cross_entropy) -> Built:
    """A model on (inputs, target)."""
    return model, (x, y), lambda model, batch: loss(model(batch[0]), batch[1])


def blobs(n: int = 64, features: int = 20, classes: int = 10) -> tuple[Tensor, Tensor]:
    """Gaussian clusters, standardised."""
    y = torch.arange(n) % classes
    return torch.randn(classes, features)[y] + 0.3 * torch.randn(n, features), y


def images(n: int = 32, channels: int = 3, size: int = 16, classes: int = 10) -> tuple[Tensor, Tensor]:
    """A noisy prototype image a class."""
    y = torch.arange(n) % classes
    noise = 0.3 * torch.randn(n, channels, size, size)
    return torch.randn(classes, channels, size, size)[y] + noise, y


def waves(n: int = 32, length: int = 256, classes: int = 8) -> tuple[Tensor, Tensor]:
    """One sine pitch a class, (n, 1, length)."""
    y = torch.arange(n) % classes
    time = torch.linspace(0, 1, length)
    x = torch.sin(6.28 * (y[:, None] + 2) * 2 * time + torch.rand(n, 1)) + 0.1 * torch.randn(n, length)
    return x[:, None], y


def curve(n: int = 64, features: int = 8) -> tuple[Tensor, Tensor]:
    """A smooth regression with standardised targets."""
    x = torch.randn(n, features)
    y = torch.tanh(x @ torch.randn(features, 1)) + 0.5 * x[:, :1]
    return x, (y - y.mean()) / y.std()


def recall(n: int = 32, length: int = 100, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Sequences whose class is shown at the first step only; the rest is the same for all of them."""
    y = torch.arange(n) % classes
    x = 0.1 * torch.randn(1, length, classes).repeat(n, 1, 1)
    x[:, 0] = 2.0 * F.one_hot(y, classes).float()
    return x, y


def tokens(n: int = 32, length: int = 16, vocab: int = 50, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Token sequences in which the class's own token is frequent."""
    y = torch.arange(n) % classes
    ids = torch.randint(classes, vocab, (n, length))
    return torch.where(torch.rand(n, length) < 0.4, y[:, None], ids), y


def graph(nodes: int = 64, features: int = 16, classes: int = 4, density: float = 0.5) -> tuple:
    """A random undirected graph with self loops, node features and node labels: (x, adjacency), y."""
    x, y = blobs(nodes, features, classes)
    adjacency = (torch.rand(nodes, nodes) < density).float().triu(1)
    same = (y[:, None] == y).float()
    adjacency = ((adjacency + adjacency.T) * (0.5 + 0.5 * same)).round() + torch.eye(nodes)
    return x, adjacency.clamp(max=1), y


def mlp(sizes: Iterable[int], act: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers with an activation between them."""
    sizes = list(sizes)
    layers: list[nn.Module] = []
    for wide, narrow in pairwise(sizes):
        layers += [nn.Linear(wide, narrow), act()]
    return nn.Sequential(*layers[:-1])


@torch.no_grad()
def init_normal(model: nn.Module, std: float | None = None, gain: float = 2.0**0.5) -> nn.Module:
    """Normal weights of one std, or of gain / sqrt(fan_in); biases zero. Matrices and kernels only."""
    for param in model.parameters():
        if param.dim() > 1:
            param.normal_(0, std if std is not None else gain / param[0].numel() ** 0.5)
        else:
            param.zero_()
    return model


def drawn(model: nn.Module, gain: float | None) -> nn.Module:
    """The model as PyTorch initialises it, or redrawn with a gain."""
    return model if gain is None else init_normal(model, gain=gain)


@torch.no_grad()
def fill(param: Tensor, value: float) -> None:
    param.fill_(value)


class Residual(nn.Module):
    """x + scale * branch(x)."""

    def __init__(self, branch: nn.Module, scale: float = 1.0):
        super().__init__()
        self.branch = branch
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.branch(x)


class Lambda(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)
