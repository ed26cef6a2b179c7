"""The loss scale of a GradScaler: found where a step returns a scaled loss, and taken out of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import Tensor
from torch.amp.grad_scaler import GradScaler

from gradcheck_cli.records.spec import LossScale


class Scaled(NamedTuple):
    """One call of GradScaler.scale: what went in, what came out, and by which scaler."""

    given: Any
    returned: Any
    scaler: GradScaler


@contextmanager
def listening() -> Iterator[list[Scaled]]:
    """Inside, the list that is yielded gets every call of a GradScaler's `scale`."""
    heard: list[Scaled] = []
    original = GradScaler.scale

    def scale(self: GradScaler, outputs: Any) -> Any:
        returned = original(self, outputs)
        heard.append(Scaled(outputs, returned, self))
        return returned

    GradScaler.scale = scale  # type: ignore[method-assign]
    try:
        yield heard
    finally:
        GradScaler.scale = original  # type: ignore[method-assign]


def unscaled(loss: Any, heard: list[Scaled]) -> tuple[Any, LossScale | None]:
    """The loss as it was before a GradScaler multiplied it, and the scale; as it is where none did."""
    for call in heard:
        if isinstance(loss, Tensor) and loss is call.returned and loss is not call.given:
            scale = LossScale(factor=float(call.scaler.get_scale()), backoff=float(call.scaler.get_backoff_factor()))
            return call.given, scale
    return loss, None
