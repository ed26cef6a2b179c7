"""A step that goes NaN, marked at the line to blame.

A case is a function of (model, x) that returns the loss; the line of the op that makes the first value that is
not finite, or the first such gradient, ends in `# HERE`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Loss = Callable[[nn.Module, Tensor], Tensor]
CASES: list[Case] = []


@dataclass(frozen=True, kw_only=True)
class Case:
    """One pathology: the ops that may be named, the causes that may be given."""

    name: str
    ops: tuple[str, ...]
    causes: tuple[str, ...]
    backward: bool
    reaches: bool
    loss: Loss
    model: Callable[[], nn.Module]
    data: Callable[[], Tensor]

    @property
    def line(self) -> int:
        lines, start = inspect.getsourcelines(self.loss)
        (marked,) = [number for number, text in enumerate(lines) if text.rstrip().endswith("# HERE")]
        return start + marked

    def make(self) -> tuple[nn.Module, Tensor, Loss]:
        torch.manual_seed(0)
        return self.model(), self.data(), self.loss


class Scale(nn.Module):
    """x * weight: zeros stay zeros, and what comes back reaches the weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


def counts() -> Tensor:
    """Values of which half are exactly 0."""
    return torch.randn(8, 4).clamp_min(0)


def case(
    ops: str,
    causes: str,
    *,
    backward: bool = False,
    reaches: bool = True,
    model: Callable[[], nn.Module] = lambda: nn.Linear(4, 4),
    data: Callable[[], Tensor] = lambda: torch.randn(8, 4),
) -> Callable[[Loss], Loss]:
    """Register a loss; `ops` and `causes` hold the acceptable names, separated by spaces.

    `reaches` is False where the bad gradient stops on its way, at a rectifier or a choice, so that no parameter has it.
    """

    def register(loss: Loss) -> Loss:
        CASES.append(
            Case(
                name=loss.__name__,
                ops=tuple(ops.split()),
                causes=tuple(causes.split()),
                backward=backward,
                reaches=reaches,
                loss=loss,
                model=model,
                data=data,
            )
        )
        return loss

    return register
