"""Rows of a batch against the others: what they alone have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gradcheck_cli.records.apart import FEW_ROWS, LEAST_APART, Apart, Kind
from gradcheck_cli.runtime import tensors
from gradcheck_cli.runtime.trees import named_tensors


def apart(batch: Any, rows: Sequence[int], count: int) -> Apart | None:
    """In what these rows stand out most from the others; None where they do not.

    Integers and flags are names, not amounts: of them only a row of zeros is told.

    Args:
        batch: Of any nesting; a tensor whose first dimension is not `count` is passed over.
        rows: Some of its rows.
        count: How many rows it has.
    """
    found = [_apart(_name(batch, path), tensor, tuple(rows), count) for path, tensor in named_tensors(batch, "batch")]
    return max((each for each in found if each is not None), key=lambda each: each.factor, default=None)


def _name(batch: Any, path: str) -> str:
    return path.removeprefix("batch.") if isinstance(batch, Mapping) else path


def _apart(name: str, tensor: Tensor, rows: tuple[int, ...], count: int) -> Apart | None:
    values = tensors.values(tensor)
    if values is None or values.shape != tensors.shape(tensor) or values.shape[:1] != (count,) or not values.numel():
        return None  # of a sparse one only what is stored
    if values.dtype is torch.bool or values.is_complex() or not bool(values.isfinite().all()):
        return None
    values = values.reshape(count, -1)
    chosen = torch.zeros(len(values), dtype=torch.bool, device=values.device)
    chosen[list(rows)] = True
    if int((~chosen).sum()) < FEW_ROWS:
        return None
    amounts = tensor.is_floating_point()
    if amounts and (found := _in_size(name, values.abs().amax(1).double(), chosen, rows)):
        return found
    return _in_sameness(name, values, chosen, rows, amounts) if values.shape[1] > 1 else None


def _in_size(name: str, peaks: Tensor, chosen: Tensor, rows: tuple[int, ...]) -> Apart | None:
    own, others = peaks[chosen], peaks[~chosen]
    some = others[others > 0]
    if not some.numel() or not own.min() > 0:
        return None
    middle = some.median()
    if own.min() >= max(LEAST_APART, float(some.max() / middle)) * some.max():
        return Apart(name=name, rows=rows, kind=Kind.ABOVE, value=float(own.min()), others=float(some.max()))
    if others.min() > 0 and others.min() >= max(LEAST_APART, float(middle / others.min())) * own.max():
        return Apart(name=name, rows=rows, kind=Kind.BELOW, value=float(own.max()), others=float(others.min()))
    return None


def _in_sameness(name: str, values: Tensor, chosen: Tensor, rows: tuple[int, ...], amounts: bool) -> Apart | None:
    """Rows of one value throughout; those of a mask, which has two values at most, are told only where it masks all."""
    alike = (values == values[:, :1]).all(1)
    if not bool((alike == chosen).all()):
        return None
    if bool((values[chosen] == 0).all()):  # what is added to scores is 0 where nothing is masked
        return Apart(name=name, rows=rows, kind=Kind.ZERO) if bool((values > 0).any()) else None
    of_two = bool(((values == values.min()) | (values == values.max())).all())
    if of_two or not amounts:
        return None
    return Apart(name=name, rows=rows, kind=Kind.CONSTANT, value=float(values[rows[0], 0]))
