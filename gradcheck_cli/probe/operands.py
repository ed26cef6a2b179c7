"""The values that went into an op, above all those at the elements where it went wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradcheck_cli.records.measurement import Element, Operand
from gradcheck_cli.runtime.norms import dense

_SHOWN = 3


class Spoiled(NamedTuple):
    """The first output of an op that is not finite, and the indexes (k, dims) of its first bad elements."""

    output: Tensor
    bad: int
    where: Tensor


def first_spoiled(outputs: Iterable[Tensor], *, nan: bool) -> Spoiled | None:
    """What went wrong in the first output that holds NaN, or with `nan` False NaN or Inf; None if none does."""
    for output in outputs:
        wrong = torch.isnan(output) if nan else ~torch.isfinite(output)
        if count := int(wrong.sum()):
            return Spoiled(output, count, wrong.nonzero()[:_SHOWN])
    return None


def operand(name: str, value: Any, spoiled: Spoiled) -> Operand:
    """What an input was: its range, and its values at the bad elements where its shape reaches them."""
    if not isinstance(value, Tensor):
        return Operand(name=name, shape=(), dtype="", smallest=float(value), largest=float(value))
    found = dense(value)
    found = found.abs() if found.is_complex() else found
    known = found.numel() > 0
    return Operand(
        name=name,
        shape=tuple(found.shape),
        dtype=str(found.dtype).removeprefix("torch."),
        smallest=float(found.min()) if known else None,
        largest=float(found.max()) if known else None,
        elements=_elements(found, spoiled),
    )


def _elements(value: Tensor, spoiled: Spoiled) -> tuple[Element, ...]:
    output = spoiled.output
    if not value.numel() or value.dim() > output.dim():
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
        for place in spoiled.where
    )
    return tuple(dict.fromkeys(elements))  # where it is broadcast, several places are one element of it
