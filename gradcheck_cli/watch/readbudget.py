"""Which updates are read whole, where to read all of them costs more than the budget.

The others are glanced at: their loss and gradient norm are read, exactly as ever, and the step can be repeated. Where
both are finite and within what the run has had of late, no alarm can be raised by them, and no more is made of them.
Where even that costs more, most of these are slept through: what begins in one of them is seen in the next that is not.
"""

from __future__ import annotations

import math

LEAST = 0.15e-3
"""Seconds a step that watching may take whatever a step takes."""
SPARED = 5.0
"""Seconds of watching before that: nobody waits for them, and most of what goes wrong in a run goes wrong early."""
SLEEPLESS = 30.0
"""Seconds of watching before any update is slept through, for then something may be missed."""
_GLANCES = tuple((every, 1) for every in (1, 2, 4, 8, 16))  # a light sample waits for 16
_LEVELS = (
    *_GLANCES,
    *((16, awake) for awake in (2, 3, 4)),
    *((64, awake) for awake in (4, 8, 16, 32, 64)),
    *((every, every) for every in (128, 256, 512)),
)
"""From the dearest on: one update of so many is read whole, and of the others one of so many is glanced at."""
_UNSEEN = 1.7
"""What watching takes over what its own clock sees, as `run_cost` measured: torch's detours to us, and calls of ours
that are too short to be timed, which are most of a step that is slept through."""
_RATE = 1.25
"""Factor by which a learning rate may have moved since the last update that was read whole."""
_APART = 1.0
"""Seconds between two looks at what watching costs."""


class ReadBudget:
    """Says of every update whether a glance will do; fed with what watching costs.

    Args:
        budget: Percent of a step's own time that watching may take, where that is more than `LEAST`.

    Attributes:
        every: One update of so many is read whole.
        awake: Of the others, one of so many is glanced at; the rest is slept through.
        glanced: Updates that were glanced at.
        slept: Those that were slept through.
    """

    def __init__(self, budget: float) -> None:
        self._share = budget / 100
        self._level, (self.every, self.awake) = 0, _LEVELS[0]
        self.glanced = self.slept = 0
        self._usual: dict[int, tuple[float, float] | None] = {}
        self._rates: dict[int, float | None] = {}
        self._steps, self._watching, self._total = 0, 0.0, 0.0

    def account(self, steps: int, watching: float, total: float) -> None:
        """Take in the updates so far, the seconds that watching took, and those that went by, without diagnoses."""
        if watching < SPARED or total - self._total < _APART or steps == self._steps:
            return
        taken, own = watching - self._watching, total - self._total - (watching - self._watching)
        allowed = max(self._share * own, LEAST * (steps - self._steps))
        self._steps, self._watching, self._total = steps, watching, total
        if _UNSEEN * taken > allowed:
            most = len(_GLANCES if watching < SLEEPLESS else _LEVELS) - 1
            self._level = min(self._level + 1, most)
        elif 2 * _UNSEEN * taken < allowed:
            self._level = max(self._level - 1, 0)
        self.every, self.awake = _LEVELS[self._level]

    def learn(self, optimizer: int, usual: tuple[float, float] | None, rate: float | None) -> None:
        """An update was read whole: the loss and gradient norm that raise nothing, None while every one is wanted.

        And its learning rate, where that is known.
        """
        self._usual[optimizer], self._rates[optimizer] = usual, rate

    def is_awake(self, own_step: int) -> bool:
        """Whether an update that is not due is glanced at."""
        return own_step % self.awake == 0

    def is_due(self, own_step: int) -> bool:
        """Whether an update is one of those that are read whole."""
        return own_step % self.every == 0

    def is_calm(self, optimizer: int) -> bool:
        """Whether not every update of an optimiser is wanted whole, as those at a learning rate of 0 are."""
        return self._usual.get(optimizer) is not None and self._rates[optimizer] != 0.0

    def is_usual(self, optimizer: int, loss: float | None, norm: float | None, rate: float | None) -> bool:
        """Whether nothing is beyond what the run has had of late, as NaN and Inf are, and the rate hardly moved."""
        usual, before = self._usual.get(optimizer), self._rates.get(optimizer)
        if usual is None or loss is None or norm is None:
            return False
        if rate != before and not (rate and before and 1 / _RATE < rate / before < _RATE):
            return False
        return -math.inf < loss <= usual[0] and norm <= usual[1] and rate != 0.0
