"""The UCI optical digits for the samples beside this file; data/README.md says where they come from."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

DATA = Path(__file__).parent / "data"


def load() -> tuple[Tensor, Tensor]:
    """Return 1797 images, float32 [N, 1, 8, 8] in 0..1, and their digits, int64 [N] in 0..9."""
    with np.load(DATA / "optdigits.npz") as archive:
        images, labels = archive["images"], archive["labels"]
    return torch.from_numpy(images).float().unsqueeze(1) / 16, torch.from_numpy(labels)


def minibatches(*columns: Tensor, steps: int, size: int = 64, seed: int = 0) -> Iterator[tuple[Tensor, ...]]:
    """Yield `steps` random minibatches; its own generator leaves torch's global one alone."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randint(len(columns[0]), (size,), generator=generator)
        yield tuple(column[rows] for column in columns)


def summary(losses: list[float], how: str) -> str:
    """Say what training did: the first loss, and the mean of the last 20."""
    last = losses[-20:]
    return f"loss {_shown(losses[0])} -> {_shown(sum(last) / len(last))} in {len(losses)} steps of {how}"


def _shown(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 1000 else f"{value:.1e}"
