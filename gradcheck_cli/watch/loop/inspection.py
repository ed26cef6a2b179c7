"""When the loop is looked at closely: at first, where the kind of its steps changes, and now and then.

What the calls of a step are, and in which order, is told without looking closely. While that is what it was, the facts
of an update are what they were too, but for what is done without a call: for that it is looked again.
"""

from __future__ import annotations

from collections.abc import Hashable

from gradcheck_cli.watch.loop.signs import LONG_ROW

FIRST = 64
"""First updates, which are all looked at closely: LONG_ROW of each of some optimisers that take turns."""
AGAIN = 2 * LONG_ROW
"""Updates that are looked at closely after a change: as many as any rule wants in a row, and their beginning."""
STRIDE = 512
"""Updates after which it is looked again for as many, which makes one in 32."""
_MOST = 64
"""Kinds of steps that are told apart; where there are more, each step is of a kind of its own."""


class InspectionSchedule:
    """Fed with the kind of every update.

    Attributes:
        close: Whether the steps are looked at closely now, with their backward passes.
    """

    def __init__(self) -> None:
        self.close = True
        self._left, self._seen = FIRST, 0
        self._last: Hashable = None
        self._known: set[Hashable] = set()

    def see(self, kind: Hashable, passed: int = 0) -> bool:
        """An update of this kind was made; whether looking closely begins with the next one.

        So many more had passed before it of which nobody asked.
        """
        was, before = self.close, self._seen
        self._left -= 1
        self._seen += 1 + passed
        if (kind != self._last and self._is_new(kind)) or self._seen // STRIDE > before // STRIDE:
            self._left = max(self._left, AGAIN)
        self._last = kind
        self.close = self._left > 0
        return self.close and not was

    def _is_new(self, kind: Hashable) -> bool:
        if kind in self._known or len(self._known) == _MOST:
            return False
        self._known.add(kind)
        return True
