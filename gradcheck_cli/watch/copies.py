"""Units of a layer that are copies of each other, at a sampled update: distinct rows of its weight and of its gradient.

Rows that are equal, get equal gradients and are equal again after the update stay so for good: whatever the layer's
width, it is as good as its distinct rows (THEORY.md, section 7).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

MOST = 2**20
"""Elements of a weight that are looked at, at most: larger ones would cost more than a sample may."""


class Doubled(NamedTuple):
    """A weight, and the share of its rows with a gradient that are copies of another."""

    weight: Tensor
    share: float


def doubled(parameters: Sequence[Tensor]) -> Iterator[Doubled]:
    """The weights of which half of the rows, or more, are copies of others, with the same gradient.

    Rows without a gradient are passed over: what was pruned, or is not asked for, is no unit.
    """
    for p in parameters:
        gradient = p.grad
        if gradient is None or p.dim() < 2 or p.shape[0] < 2 or p.numel() > MOST or not _is_dense(p, gradient):
            continue
        share = _share(p.detach(), gradient.detach())
        if share >= 0.5:
            yield Doubled(p, share)


def still(found: Sequence[Doubled]) -> list[Doubled]:
    """Those of them whose rows are copies as much as before, after the update."""
    kept = []
    for each in found:
        gradient = each.weight.grad
        same = _share(each.weight.detach(), None if gradient is None else gradient.detach())
        kept += [each] if same >= each.share else []
    return kept


def _is_dense(weight: Tensor, gradient: Tensor) -> bool:
    plain = weight.layout is torch.strided and gradient.layout is torch.strided
    return plain and weight.is_floating_point() and type(weight) in (Tensor, torch.nn.Parameter)


def _share(weight: Tensor, gradient: Tensor | None) -> float:
    rows = weight.flatten(1)
    if len(torch.unique(rows[:, 0])) > len(rows) // 2:  # nearly always: one sort of one column
        return 0.0
    if gradient is not None:
        slopes = gradient.flatten(1)
        kept = (slopes != 0).any(1)
        rows = torch.cat((rows, slopes), 1)[kept]
    return 1 - len(torch.unique(rows, dim=0)) / len(rows) if len(rows) > 1 else 0.0
