"""How much may be tried: work is counted in passes, so that a slow or busy machine comes to the same verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping

from torch import nn

from gradcheck_cli.runtime import tensors

LARGEST = 2 * 2**30
"""Bytes of parameters and buffers up to which a model is copied."""
CLOCK = 60.0
"""Seconds after which no trial is begun, whatever is left: only a safety stop, which says that it struck."""


LATE = "no passes were left to try it"
"""What is told of a remedy that comes after the last pass."""


class OutOfBudget(Exception):
    """Nothing is left for this trial."""


class Budget:
    """Forward and backward passes for all trials of one check, each taken once."""

    def __init__(self, passes: int, clock: float = CLOCK) -> None:
        self.passes, self.clock = passes, clock
        self._left, self._stop = passes, time.monotonic() + clock
        self.struck = False

    @property
    def spent(self) -> str:
        """Why nothing more is tried, in words."""
        if self.struck:
            return f"the clock ended the trials after {self.clock:g} s: another run may decide"
        return f"too large to try in {self.passes} passes; --try-budget decides"

    def take(self, passes: int) -> bool:
        """Take so many passes, unless not all of them are left or the clock has struck."""
        self.struck = self.struck or time.monotonic() >= self._stop
        if self.struck or passes > self._left:
            return False
        self._left -= passes
        return True

    def charge(self, passes: int) -> None:
        """Take passes that were made already, as far as any are left."""
        self._left = max(self._left - passes, 0)

    def spend(self, passes: int) -> None:
        """Take so many passes.

        Raises:
            OutOfBudget: They are not left.
        """
        if not self.take(passes):
            raise OutOfBudget


def too_costly(model: nn.Module, seconds: Mapping[str, float]) -> str:
    """Why not even the first trial is begun, from how long a pass took; empty where it is."""
    with tensors.untouched():
        size = sum(tensors.numel(t) * t.dtype.itemsize for t in (*model.parameters(), *model.buffers()))
    if size > LARGEST:
        return f"a copy of the model takes {size / 2**30:.1f} GB"
    one = seconds["forward"] + seconds["backward"]
    return f"one pass takes {one:.0f} s, and trials are ended after {CLOCK:g} s" if 3 * one > CLOCK else ""
