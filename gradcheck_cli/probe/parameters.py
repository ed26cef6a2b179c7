"""Measure each parameter's gradient as it arrives, and free it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gradcheck_cli.runtime.norms import Scalar, dense, extreme, norm


class GradientFigures(NamedTuple):
    """The figures of one gradient, possibly still on its device.

    `zeros` counts elements that are exactly 0; `active_weight` is the norm of the weight's rows whose
    gradient is not all zero.
    """

    norm: Scalar
    extreme: Scalar
    zeros: Scalar
    nan: Scalar
    inf: Scalar
    active_weight: Scalar | None


def figures(parameter: Tensor, gradient: Tensor) -> GradientFigures:
    """Measure `gradient`, which may be sparse or complex, against its `parameter`."""
    values = dense(gradient)
    length, largest = norm(values), extreme(values)
    finite = not isinstance(length, float) or length < float("inf")
    nan, inf = (0.0, 0.0) if finite and isinstance(length, float) else _nonfinite(values)
    zeros: Scalar = parameter.numel() - torch.count_nonzero(values)
    return GradientFigures(length, largest, zeros, nan, inf, _active_weight(parameter, gradient, zeros))


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
