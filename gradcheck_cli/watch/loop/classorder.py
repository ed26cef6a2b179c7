"""The order of the classes that batches hold: one after the other, as of data that is sorted and not shuffled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.watch.entries import Place

_FEW = 8
"""Labels that are of one class by chance."""
_TURNS = 4
"""Batches of a block at least, on average: a discriminator is given its two classes by turns."""
_FIRST = 1024
"""Batches that are looked at: most of what is wrong with the order of data shows in them."""
_BATCHES = 20
"""First batches, of which more than half hold several classes where the data is mixed."""
_AFTER = 2
"""Batches at the begin of a block whose loss is looked at: the first may hold the end of the last block as well."""


class ByClass(NamedTuple):
    """Batches whose classes come one after the other.

    Attributes:
        batches: How many there were.
        pure: Those that hold one class alone.
        changes: How often another class came to be the most of a batch.
        rises: How often the loss then rose, above what it was just before and above that of the first batch.
        share: Share of the labels' spread that lies between batches; 1 over the labels of one where they are shuffled.
    """

    batches: int = 0
    pure: int = 0
    changes: int = 0
    rises: int = 0
    share: float = 0.0


NO_ORDER = ByClass()
"""What is known where classes do not come one after the other."""


class ClassOrder:
    """Fed with the labels and the loss of each batch, for as long as their classes may come one after the other.

    Attributes:
        over: Whether they do not.
        place: The user's line that calls the loss.
    """

    def __init__(self) -> None:
        self.over = False
        self.place: Place | None = None
        self._batches = self._pure = self._changes = self._rises = self._watched = 0
        self._total: defaultdict[int, float] = defaultdict(float)
        self._squares = 0.0
        self._most: int | None = None
        self._first: Tensor | None = None
        self._last: Tensor | None = None
        self._before: Tensor | None = None

    def see(self, counts: Mapping[int, int], loss: Tensor | None, place: Place | None) -> None:
        """The next batch: how many labels it has of each class, its loss, and the line that calls that."""
        size = sum(counts.values())
        if self.over or size < _FEW:
            return
        self.place = place
        self._take({label: count / size for label, count in counts.items()})
        self._hear(max(counts, key=lambda label: counts[label]), loss)
        mixed = self._batches <= _BATCHES and 2 * (self._batches - self._pure) > _BATCHES
        self.over = mixed or self._batches == _FIRST

    def _take(self, shares: Mapping[int, float]) -> None:
        self._batches += 1
        self._pure += len(shares) == 1
        self._squares += sum(share**2 for share in shares.values())
        for label, share in shares.items():
            self._total[label] += share

    def _hear(self, most: int, loss: Tensor | None) -> None:
        if self._most not in (None, most):
            self._changes += 1
            self._before, self._watched = self._last, _AFTER
        self._most, self._last = most, loss
        self._first = loss if self._first is None else self._first
        if not self._watched or loss is None or self._before is None or self._first is None:
            return
        self._watched -= 1
        if float(loss) > max(float(self._before), float(self._first)):
            self._rises, self._watched = self._rises + 1, 0

    @property
    def by_class(self) -> ByClass:
        """The batches so far; none where their classes do not come one after the other."""
        if self.over or not 0 < _TURNS * self._changes <= self._batches:
            return NO_ORDER
        middle = sum((total / self._batches) ** 2 for total in self._total.values())
        share = (self._squares / self._batches - middle) / (1 - middle)
        if share < ALARMING.in_blocks:
            return NO_ORDER
        return ByClass(self._batches, self._pure, self._changes, self._rises, share)
