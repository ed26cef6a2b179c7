"""Tensors that hold what is not finite, where a script looks at them or ends by them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gradcheck_cli.watch.entries import Slot

_LOOKED_THROUGH = 4
"""Calls between a loss and what a script looks at, to see whether it is finite: `not loss.detach().isnan().any()`."""


def is_lost(tensor: Tensor) -> bool:
    """Whether a tensor holds NaN, or is one number that is not finite; -Inf in a mask is as it should be."""
    with torch.no_grad():
        values = tensor.detach()
        return bool(values.isnan().any()) or (values.numel() == 1 and not bool(values.isfinite().all()))


def behind(needs: Sequence[Slot]) -> Tensor | None:
    """The one number that is not finite and part of a graph, which what a script looks at was made of; or None."""
    for _ in range(_LOOKED_THROUGH):
        for slot in needs:
            tensor: Tensor | None = slot()
            if slot.learns and tensor is not None and tensor.numel() == 1 and is_lost(tensor):
                return tensor
        needs = [need for slot in needs for need in slot.entry.needs if not slot.learns]
    return None


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
