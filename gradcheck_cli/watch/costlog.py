"""What watching costs, by the watcher's own clock: told now and then, and held against the budget."""

from __future__ import annotations

from time import perf_counter  # as it is now: a script may put its own clock in its place
from typing import Protocol

from gradcheck_cli.watch.readbudget import ReadBudget
from gradcheck_cli.watch.session import Session

EVERY = 50
"""Steps between two looks at it."""
_AFTER = 5.0
"""Seconds between two words on it."""


class Clock(Protocol):
    """Whatever counts the time that it takes."""

    seconds: float


class CostLog:
    """Adds up.

    Args:
        session: Where it is told.
        budget: Told what reading takes.
        watching: What counts the time of watching.
        diagnoses: What counts that of diagnoses, which is part of it.

    Attributes:
        next: The step at which it is looked at again.
    """

    def __init__(self, session: Session, budget: ReadBudget, watching: tuple[Clock, ...], diagnoses: Clock) -> None:
        self._session, self._budget, self._clocks, self._diagnoses = session, budget, watching, diagnoses
        self.next = EVERY
        self._began = 0.0
        self._told_at: float | None = None

    def begin(self) -> None:
        """The first step is read."""
        self._began = self._began or perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since then."""
        return perf_counter() - self._began

    @property
    def watching(self) -> float:
        """Seconds that watching took, without diagnoses."""
        return sum([clock.seconds for clock in self._clocks]) - self._diagnoses.seconds

    def is_due(self, steps: int) -> bool:
        """Take in that so many steps were made; whether it is time to tell."""
        if steps < self.next:
            return False
        self.next = steps + EVERY
        elapsed = self.elapsed
        self._budget.account(steps, self.watching, elapsed - self._diagnoses.seconds)
        return self._told_at is None or elapsed - self._told_at >= _AFTER

    def tell(self, steps: int) -> None:
        """Tell the session."""
        self._told_at = self.elapsed
        self._session.say(
            "cost",
            steps=steps,
            watching=self.watching,
            total=self._told_at,
            diagnoses=self._diagnoses.seconds,
            glanced=self._budget.glanced,
            slept=self._budget.slept,
        )
