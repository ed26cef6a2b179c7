"""What is read of every step: on the device while it runs, and here in one transfer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradcheck_cli.runtime.norms import norm, settle
from gradcheck_cli.runtime.tensors import local, untouched

_WITHIN_FLOAT = frozenset((torch.float16, torch.bfloat16, torch.float32))
_OWN = frozenset((torch.float32, torch.float64))
"""Kinds whose norm is taken as they are."""
_kind_of = attrgetter("dtype", "layout", "device")


class Norms(NamedTuple):  # a step makes some, and of all records these are made the fastest
    """The L2 norm of each parameter's gradient, after one backward pass, with whatever scale was in the loss.

    Attributes:
        parameters: Those that have a gradient.
        values: One each, in the same order.
        ids: The ids of the parameters.
    """

    parameters: tuple[Tensor, ...]
    values: tuple[float, ...]
    ids: tuple[int, ...] = ()

    def over(self, wanted: Iterable[Tensor]) -> float | None:
        """The norm over those of `wanted` that have a gradient; None where none has."""
        by_id = dict(zip(self.ids, self.values, strict=True))
        found = [by_id[id(p)] for p in wanted if id(p) in by_id]
        return math.hypot(*found) if found else None

    @property
    def finite(self) -> bool:
        """Whether all of them are finite."""
        return all(map(math.isfinite, self.values))

    def whole(self) -> float | None:
        """The norm over all of them."""
        return math.hypot(*self.values) if self.values else None

    def let_go(self) -> Norms:
        """The same numbers, without the tensors."""
        return Norms((), self.values, self.ids)


def readings(loss: Tensor | None, parameters: Sequence[Tensor]) -> tuple[float | None, Norms]:
    """A loss as a number, and the norms of the gradients that these parameters have now; one transfer per device.

    A GPU is waited for once, when the norms have been asked for as well. Nothing is read later than that: the update
    comes next, and the step could not be repeated after it.

    Args:
        loss: None where there is none.
        parameters: As `gradient_norms` takes them.

    Returns:
        The loss, None for what is no single real number; and the norms.
    """
    if loss is None or not _waits(loss):
        return (None if loss is None else number(loss)), gradient_norms(parameters)
    with untouched():
        held, values = _read(parameters, [loss.detach().reshape(())])
    return values.pop(), Norms(tuple(held), tuple(values), tuple(map(id, held)))


def can_glimpse(parameters: Sequence[Tensor]) -> bool:
    """Whether these are on the CPU, of one kind, and plain: their gradients are, but for sparse ones."""
    kinds = set(map(_kind_of, parameters))
    plain = {type(p) for p in parameters} <= {Tensor, nn.Parameter}
    return plain and len(kinds) == 1 and all(dtype in _OWN and device.type == "cpu" for dtype, _, device in kinds)


def glimpse(gradients: list[Tensor]) -> list[float] | None:
    """The norms of such gradients, in the fewest of Python's calls; no mode of the script's is on.

    None where there are none, one is not finite, or of a kind that the fused kernel does not know.
    """
    if set(map(type, gradients)) != {Tensor}:
        return None
    try:
        found = list(map(Tensor.item, torch._foreach_norm(gradients, 2)))
    except (RuntimeError, NotImplementedError):
        return None
    return found if math.isfinite(sum(found)) else None


def gradient_norms(parameters: Sequence[Tensor]) -> Norms:
    """The norms of the gradients that these parameters have now, in float32 or better; one transfer per device.

    A norm that is not finite is taken again with scaling: the square of a finite float32 may be Inf. Gradients of
    which a process has only a part (DTensor) are left out: their norm is not to be had without the other processes.
    """
    with untouched():
        held, values = _read(parameters, [])
        return Norms(tuple(held), tuple(values), tuple(map(id, held)))


def _waits(loss: Tensor) -> bool:
    """Whether a loss is on a device that has to be waited for, and one number that can be read with the norms."""
    return type(loss) is Tensor and not loss.is_cpu and loss.numel() == 1 and loss.dtype in _WITHIN_FLOAT


def _read(parameters: Sequence[Tensor], beside: list[Tensor]) -> tuple[list[Tensor], list[float]]:
    """The parameters that have a gradient, and its norms; after these the numbers beside them."""
    held = [p for p in parameters if p.grad is not None]
    gradients: list[Any] = [p.grad for p in held]
    if set(map(type, gradients)) - {Tensor}:
        held = [p for p, g in zip(held, gradients, strict=True) if not hasattr(g, "device_mesh")]
        gradients = [p.grad for p in held]
    kinds = set(map(_kind_of, gradients))
    plain = bool(kinds) and all([layout is torch.strided and not dtype.is_complex for dtype, layout, _ in kinds])  # noqa: C419
    try:
        values = _together(gradients, kinds, beside) if plain else None
    except (RuntimeError, NotImplementedError):  # a kind of tensor that the fused kernel does not know
        values = None
    if values is None:
        values = settle([*map(norm, gradients), *beside])
    if not math.isfinite(sum(values)):
        for place, gradient in enumerate(gradients):
            if not math.isfinite(values[place]):
                values[place] = settle([norm(gradient)])[0]
    return held, values


def _together(
    gradients: list[Tensor], kinds: set[tuple[torch.dtype, torch.layout, torch.device]], beside: list[Tensor]
) -> list[float]:
    if len(kinds) > 1:
        double = any(dtype is torch.float64 for dtype, _, _ in kinds)
        wide = torch.float64 if double else torch.float32
        return settle([*torch._foreach_norm(gradients, 2, dtype=wide), *beside])
    ((dtype, _, device),) = kinds
    norms = torch._foreach_norm(gradients, 2, dtype=None if dtype in _OWN else torch.float32)
    if device.type == "cpu":
        return list(map(Tensor.item, (*norms, *beside)))
    return in_one_transfer([*norms, *(each.to(norms[0].dtype) for each in beside)])


def in_one_transfer(numbers: list[Tensor]) -> list[float]:
    """Scalars of one kind, on one device, as numbers."""
    found: list[float] = torch.stack(numbers).tolist()
    return found


def number(value: Tensor) -> float | None:
    """A loss as a number; None for what is no single real number."""
    if type(value) is Tensor:  # as nearly all are: what follows takes longer
        with torch._C.DisableTorchFunction():
            if value.dtype is torch.float32 and value.numel() == 1:
                return value.item()
    with untouched():
        if (
            value.numel() != 1
            or value.is_complex()
            or any(not p.is_replicate() for p in getattr(value, "placements", ()))
        ):
            return None
        return float(local(value.detach()).item())
