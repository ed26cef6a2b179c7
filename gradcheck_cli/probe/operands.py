"""The values that went into an op, above all those at the elements where it went wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from gradcheck_cli.records.measurement import Element, Operand

_SHOWN = 3


def nonfinite_at(outputs: Iterable[Tensor], *, nan: bool) -> tuple[int, int, Tensor | None, Tensor | None]:
    """(bad elements, all elements, first bad output, indexes of its first bad elements (k, dims)) of an op.

    Bad is NaN, or with `nan` False also Inf.
    """
    bad = total = 0
    first: Tensor | None = None
    where: Tensor | None = None
    for output in outputs:
        wrong = torch.isnan(output) if nan else ~torch.isfinite(output)
        count = int(wrong.sum())
        bad, total = bad + count, total + output.numel()
        if count and first is None:
            first, where = output, wrong.nonzero()[:_SHOWN]
    return bad, total, first, where


def operand(name: str, value: Any, output: Tensor | None, where: Tensor | None) -> Operand:
    """What an input was: its range, and its values at the bad elements where its shape reaches them."""
    if not isinstance(value, Tensor):
        return Operand(name=name, shape=(), dtype="", smallest=float(value), largest=float(value))
    found = value.detach()
    found = found.abs() if found.is_complex() else found
    known = found.numel() > 0
    return Operand(
        name=name,
        shape=tuple(found.shape),
        dtype=str(found.dtype).removeprefix("torch."),
        smallest=float(found.min()) if known else None,
        largest=float(found.max()) if known else None,
        elements=_elements(found, output, where),
    )


def _elements(value: Tensor, output: Tensor | None, where: Tensor | None) -> tuple[Element, ...]:
    if output is None or where is None or not value.numel() or value.dim() > output.dim():
        return ()
    try:
        reaching = value.broadcast_to(output.shape)
    except RuntimeError:  # an op that mixes elements, such as a reduction
        return ()
    offset = output.dim() - value.dim()
    elements = (
        Element(
            at=tuple(0 if value.shape[d] == 1 else int(place[offset + d]) for d in range(value.dim())),
            value=float(reaching[tuple(place)]),
        )
        for place in where
    )
    return tuple(dict.fromkeys(elements))  # where it is broadcast, several places are one element of it
