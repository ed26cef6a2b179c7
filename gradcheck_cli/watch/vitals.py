"""What is read of every step: on the device while it runs, and here in one transfer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradcheck_cli.runtime.norms import norm, settle
from gradcheck_cli.runtime.tensors import local, untouched
from gradcheck_cli.watch.once import once


@dataclass(frozen=True)
class Norms:
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

    @once
    def finite(self) -> bool:
        """Whether all of them are finite."""
        return all(map(math.isfinite, self.values))

    def whole(self) -> float | None:
        """The norm over all of them."""
        return math.hypot(*self.values) if self.values else None

    def let_go(self) -> Norms:
        """The same numbers, without the tensors."""
        return Norms((), self.values, self.ids)


def gradient_norms(parameters: Sequence[Tensor]) -> Norms:
    """The norms of the gradients that these parameters have now, in float32 or better; one transfer per device.

    A norm that is not finite is taken again with scaling: the square of a finite float32 may be Inf. Gradients of
    which a process has only a part (DTensor) are left out: their norm is not to be had without the other processes.
    """
    with untouched():
        pairs = [
            (p, g)
            for p in parameters
            if (g := p.grad) is not None and (type(g) is Tensor or not hasattr(g, "device_mesh"))
        ]
        held, grads = [p for p, _ in pairs], [g for _, g in pairs]
        plain = all([g.layout is torch.strided and not g.is_complex() for g in grads])  # noqa: C419 - every step
        if held and plain:
            try:
                values = _together(grads)
            except (RuntimeError, NotImplementedError):  # a kind of tensor that the fused kernel does not know
                plain = False
        if not held or not plain:
            values = settle([norm(g) for g in grads])
        if not math.isfinite(sum(values)):
            values = [v if math.isfinite(v) else settle([norm(g)])[0] for v, g in zip(values, grads, strict=True)]
        return Norms(tuple(held), tuple(values), tuple(map(id, held)))


def _together(gradients: list[Tensor]) -> list[float]:
    kinds = {(g.device, g.dtype) for g in gradients}
    if len(kinds) > 1:
        double = any(dtype is torch.float64 for _, dtype in kinds)
        return settle(list(torch._foreach_norm(gradients, 2, dtype=torch.float64 if double else torch.float32)))
    device, dtype = kinds.pop()
    wide = None if dtype in (torch.float32, torch.float64) else torch.float32
    norms = torch._foreach_norm(gradients, 2, dtype=wide)
    if device.type == "cpu":
        return [each.item() for each in norms]
    values: list[float] = torch.stack(list(norms)).tolist()
    return values


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
