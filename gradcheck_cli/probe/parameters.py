"""Measure each parameter's gradient as it arrives, and free it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gradcheck_cli.records.thresholds import USUAL
from gradcheck_cli.runtime.norms import Scalar, dense, extreme, norm


class GradientFigures(NamedTuple):
    """The figures of one gradient, possibly still on its device.

    `zeros` counts elements that are exactly 0; `active_weight` is the norm of the weight's rows whose
    gradient is not all zero. `copies` is 1 where all rows of the weight are one, and all of a gradient that is not 0.
    """

    norm: Scalar
    extreme: Scalar
    zeros: Scalar
    nan: Scalar
    inf: Scalar
    active_weight: Scalar | None
    copies: Scalar


def figures(parameter: Tensor, gradient: Tensor) -> GradientFigures:
    """Measure `gradient`, which may be sparse or complex, against its `parameter`."""
    values = dense(gradient)
    length, largest = norm(values), extreme(values)
    finite = not isinstance(length, float) or length < float("inf")
    nan, inf = (0.0, 0.0) if finite and isinstance(length, float) else _nonfinite(values)
    zeros: Scalar = parameter.numel() - torch.count_nonzero(values)
    active = _active_weight(parameter, gradient, zeros)
    return GradientFigures(length, largest, zeros, nan, inf, active, _copies(parameter, values, largest))


def _nonfinite(values: Tensor) -> tuple[Scalar, Scalar]:
    return values.isnan().sum(), values.isinf().sum()


def _active_weight(parameter: Tensor, gradient: Tensor, zeros: Scalar) -> Scalar | None:
    """Only the rows that this batch touched: an embedding's other rows were not asked to learn."""
    if parameter.dim() < 2 or (parameter.device.type == "cpu" and not zeros):
        return None
    rows = dense(parameter).reshape(parameter.shape[0], -1)
    if gradient.layout is torch.sparse_coo:
        touched = gradient.coalesce().indices()[0]
        return norm(rows[touched])
    active = (dense(gradient).reshape(parameter.shape[0], -1) != 0).any(dim=1)
    if parameter.device.type == "cpu":
        return norm(rows[active])
    return norm(torch.where(active.unsqueeze(1), rows, torch.zeros_like(rows)))


def _copies(parameter: Tensor, gradient: Tensor, largest: Scalar) -> Scalar:
    """Units that start alike and are told the same stay copies of each other."""
    weight = parameter.detach()
    if weight.dim() < 2 or weight.shape[0] < 2 or not weight.numel() or gradient.shape != weight.shape:
        return 0.0
    if not torch.equal(weight[0], weight[1]):  # which settles it nearly always, at no cost
        return 0.0
    spread = (gradient - gradient[:1]).abs().max()
    return ((weight == weight[:1]).all() & (spread <= USUAL.copies_spread * largest) & (spread < largest)).float()
