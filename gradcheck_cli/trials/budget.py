"""How much may be tried: work is counted in passes, so that a slow or busy machine comes to the same verdict."""

from __future__ import annotations

import time

CLOCK = 60.0
"""Seconds after which no trial is begun, whatever is left: only a safety stop, which says that it struck."""


class OutOfBudget(Exception):
    """Nothing is left for this trial."""


class Budget:
    """Forward and backward passes for all trials of one check, each taken once."""

    def __init__(self, passes: int, clock: float = CLOCK) -> None:
        self.passes, self.clock = passes, clock
        self._left, self._stop = passes, time.monotonic() + clock
        self.struck = False

    def take(self, passes: int) -> bool:
        """Take so many passes, unless not all of them are left or the clock has struck."""
        self.struck = self.struck or time.monotonic() >= self._stop
        if self.struck or passes > self._left:
            return False
        self._left -= passes
        return True

    def spend(self, passes: int) -> None:
        """Take so many passes.

        Raises:
            OutOfBudget: They are not left.
        """
        if not self.take(passes):
            raise OutOfBudget
