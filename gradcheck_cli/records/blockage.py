"""Why a gradient ends on its way to a layer, and where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Reason(IntEnum):
    """Why an op that received a gradient sent exactly nothing; the first that holds counts.

    Where the ops above a layer differ, the lowest decides: a way that will open, or that this batch merely did not
    take, is the least certain.
    """

    OPENS = 0
    PRODUCT = 1
    STEP = 2
    RECTIFIER = 3
    SURROGATE = 4
    SINGLE = 5
    SATURATED = 6
    MASKED = 7


@dataclass(frozen=True, slots=True)
class Blockage:
    """All the ops at which the gradient on its way to a layer ends, in short.

    `first` holds the index of the first op of each reason, `custom` that of the first custom Function; None for none.
    """

    first: tuple[int | None, ...] = (None,) * len(Reason)
    custom: int | None = None

    @property
    def nearest(self) -> int | None:
        """The op nearest to the loss; None where nothing blocks."""
        return min((op for op in self.first if op is not None), default=None)

    @property
    def reason(self) -> Reason | None:
        """What explains them all."""
        return next((reason for reason in Reason if self.first[reason] is not None), None)

    def joined(self, other: Blockage) -> Blockage:
        """The ops of both."""
        if self == other:
            return self
        return Blockage(tuple(map(_earlier, self.first, other.first)), _earlier(self.custom, other.custom))


def _earlier(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else min(one, other)
