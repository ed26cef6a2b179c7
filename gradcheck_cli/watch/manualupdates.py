"""Updates that no optimiser is seen to make: `p.data -= lr * p.grad` shows in nothing but the parameters themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from gradcheck_cli.runtime.tensors import local, untouched


@dataclass(frozen=True, slots=True)
class HandUpdate:
    """One update that is made by hand: as much of an `Attempt` as there is without an optimiser."""

    own_step: int
    held: Sequence[Tensor]
    number: int = 0
    scaler: None = None

    def parameters(self) -> Iterator[Tensor]:
        """What the backward pass reached."""
        return iter(self.held)

    def groups(self) -> list[dict[str, Any]]:
        """None are known."""
        return []

    def rates(self) -> tuple[float, ...]:
        """The learning rate is a number in the script."""
        return ()

    def normalises(self) -> bool:
        """The script may do what it likes; nothing shows that it does."""
        return False


class ByHand:
    """Tells whether parameters have moved since the last backward pass: version counters do not see `.data`.

    Attributes:
        found: Whether the script's updates are such.
    """

    def __init__(self) -> None:
        self.found = False
        self._known: dict[int, tuple[float, float]] = {}

    def moved(self, parameters: Sequence[Tensor]) -> bool:
        """Whether one of these that was seen before has other values; they are remembered."""
        with untouched():
            now = {id(p): _print_of(p) for p in parameters if not is_lazy(p)}
        moved = any(key in self._known and self._known[key] != value for key, value in now.items())
        self._known = now
        return moved


def _print_of(parameter: Tensor) -> tuple[float, float]:
    """Two numbers that a change of a parameter's values changes, NaN aside."""
    values = local(parameter.detach())
    values = torch.view_as_real(values).flatten() if values.is_complex() else values.flatten()
    total, norm = torch.stack([values.double().sum(), values.double().norm()]).tolist()
    return total, norm
