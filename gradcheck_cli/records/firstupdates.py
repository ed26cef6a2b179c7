"""What the first updates make of a model, simulated on a copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from gradcheck_cli.records.report import Finding


class Moved(NamedTuple):
    """What one update made of a parameter, in elements.

    Attributes:
        name: Its dotted name.
        dtype: As torch names it, such as "float16".
        driven: How many have a gradient that is not 0.
        moved: How many of those are another number now.
        broken: How many are not finite now and were before.
        without_eps: Whether the optimiser's eps is 0 in this dtype.
    """

    name: str
    dtype: str
    driven: int
    moved: int
    broken: int
    without_eps: bool = False


class Later(NamedTuple):
    """What several updates at the full rate came to, beside as many at a tenth of it.

    Attributes:
        steps: How many.
        loss: Mean loss of the last three; inf if one was not finite.
        loss_slow: The same at a tenth of the rate.
        findings: What is ill, or suspected, in a copy after them, and not in one that was trained slowly.
    """

    steps: int
    loss: float
    loss_slow: float
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stepped:
    """One update.

    Attributes:
        before: The loss that it was computed from.
        after: The loss of the same batch after it, with the same seed; not finite where that is not.
        parameters: What it made of each parameter that has a gradient.
        later: What more of them came to, where they were taken.
        passes: Passes that were made for it.
    """

    before: float
    after: float
    parameters: tuple[Moved, ...]
    later: Later | None = None
    passes: int = 0
