"""A copy that was trained on the last batches of a run after the script had ended (`--shadow`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

from gradcheck_cli.records.retrying import HALF
from gradcheck_cli.records.source import SourceLine

TENTH = 0.1
"""Factor of the run's learning rates that the copy learns with (THEORY.md, section 7)."""
LEAST_STEPS = 20
"""Updates that the copy makes at least: as many as statistics of a run want."""
_END = 0.25
"""Share of the batches, the last ones, whose median losses are held against each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shadowed:
    """What came of training a copy on the kept batches, each once and in the run's order.

    Attributes:
        first: The step of the first of them, `last` of the last, as `Vital` counts; 0 where none were kept.
        optimizer: The optimiser's number in order of its first update, `kind` the name of its class.
        own_step: Its own step at the last of them.
        rate: The run's largest learning rate at the last of them.
        run: The losses of the run, each before the update that was computed from it.
        copy: Those of the copy on the same batches. Both begin with the same parameters, so that the first is the same.
        clipped: The norm that gradients were clipped to, as the run does it; None where it does not.
        passes: Forward and backward passes that this took.
        made_at: The line that made the optimiser.
        why: Why no copy was trained; empty where one was.
    """

    first: int = 0
    last: int = 0
    optimizer: int = 0
    own_step: int = 1
    kind: str = ""
    rate: float | None = None
    run: tuple[float, ...] = ()
    copy: tuple[float, ...] = ()
    clipped: float | None = None
    passes: int = 0
    made_at: SourceLine | None = None
    why: str = ""

    @property
    def run_ends(self) -> float:
        """The loss that the run ends at on these batches; infinite where that is not finite."""
        return _end(self.run)

    @property
    def copy_ends(self) -> float:
        """Likewise of the copy."""
        return _end(self.copy)

    @property
    def has_floor(self) -> bool:
        """Whether no loss is below 0: of one that has no floor half says nothing."""
        return not any(loss < 0 for loss in (*self.run, *self.copy))

    @property
    def far_below(self) -> bool:
        """Whether the copy ends at less than half of the run's loss."""
        return not self.why and self.has_floor and self.copy_ends < HALF * self.run_ends


def _end(losses: tuple[float, ...]) -> float:
    """The median of the last quarter; infinite where the last loss of all is not finite."""
    if not math.isfinite(losses[-1]):
        return math.inf
    return median(loss if math.isfinite(loss) else math.inf for loss in losses[-max(round(_END * len(losses)), 1) :])
