"""Numbers about the tensors of a batch, an output or a target."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gradcheck_cli.records.measurement import TensorStats
from gradcheck_cli.runtime import tensors
from gradcheck_cli.runtime.norms import norm, settle
from gradcheck_cli.runtime.trees import named_tensors


def stats_of(tree: Any, name: str) -> tuple[TensorStats, ...]:
    """The figures of every tensor in `tree`; integers have no RMS, since they are names, not amounts.

    RMS and spread are those of the finite elements: a gap is no amount either.
    """
    return tuple(_stats(path, tensor) for path, tensor in named_tensors(tree, name))


def _stats(name: str, tensor: Tensor) -> TensorStats:
    values = tensors.values(tensor)
    if values is None:
        values = torch.empty(0, device="cpu", dtype=torch.bool)
    measured = values.is_floating_point() or values.is_complex()
    nan = inf = 0
    first: tuple[int, ...] = ()
    rms = std = None
    if values.numel() and measured:
        (length,) = settle([norm(values)])
        if not (length < float("inf")):
            nan, inf = int(values.isnan().sum()), int(values.isinf().sum())
            wrong = values.isnan() if nan else values.isinf()
            first = tuple(wrong.nonzero()[0].tolist()) if wrong.any() else ()  # a norm may overflow by itself
        known = values[values.isfinite()] if nan or inf else values
        if nan or inf:
            (length,) = settle([norm(known)])
        if known.numel():
            rms = length / known.numel() ** 0.5
        if known.numel() and known.is_floating_point():
            std = float(known.double().std(correction=0))
    finite = values.is_floating_point() and not nan and not inf
    widest, column, offset = _columns(values) if finite else (None, -1, None)
    return TensorStats(
        name=name,
        shape=tensors.shape(tensor),
        dtype=str(tensor.dtype).removeprefix("torch."),
        numel=tensors.numel(tensor),
        rms=rms,
        std=std,
        nan_count=nan,
        inf_count=inf,
        first_bad=first,
        widest=widest,
        column=column,
        offset=offset,
        alike=(finite or not measured) and _are_alike(values),
    )


_ROWS = 1024
"""Rows that the scale of a column is taken from."""
_FEW = 4
"""Of fewer rows, or columns, nothing is said."""


def _columns(values: Tensor) -> tuple[float | None, int, float | None]:
    """The RMS of a table's largest column over that of the median one, of those that are not all 0; its index; and how
    many standard deviations the median column, of those that vary, lies from 0."""
    if values.dim() != 2 or min(values.shape) < _FEW:
        return None, -1, None
    rows = values[:: max(1, len(values) // _ROWS)].double()
    scales, spreads = rows.square().mean(0).sqrt(), rows.std(0, correction=0)
    some, varying = scales[scales > 0], spreads > 0
    if len(some) < _FEW:
        return None, -1, None
    offset = float((rows.mean(0).abs() / spreads)[varying].median()) if varying.any() else None
    return float(scales.max() / some.median()), int(scales.argmax()), offset


def _are_alike(values: Tensor) -> bool:
    """Whether there are a few rows at least, and all are the same: the first two tell, nearly always."""
    if not values.dim() or len(values) < _FEW or not values.numel():
        return False
    return bool((values[1] == values[0]).all()) and bool((values == values[:1]).all())
