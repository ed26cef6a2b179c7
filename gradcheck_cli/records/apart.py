"""What some rows of a batch have that the others have not, or a batch that those before it had not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

LEAST_APART = 10.0
"""Factor by which rows lie beyond all others to be told: a decade, which no unit of measure of one table makes up for.
They also have to be further from the nearest other row than that is from the middle one: so of rows whose largest
values have a heavy tail (a Cauchy's: half of the batches have a largest row twice the next) hardly any are."""
FEW_ROWS = 4
"""Of fewer other rows nothing is said."""


class Kind(str, Enum):
    """In what rows stand out."""

    ABOVE = "above"
    BELOW = "below"
    ZERO = "zero"
    CONSTANT = "constant"
    LONGER = "longer"
    UNSEEN = "unseen"


@dataclass(frozen=True, kw_only=True, slots=True)
class Apart:
    """Rows that stand out, all of them, and no other row with them; without rows it is the batch as a whole.

    Attributes:
        name: The tensor, as the batch names it.
        rows: From 0.
        kind: In what.
        value: The largest absolute value of the nearest of them to the others; of constant rows what the first holds.
        others: That of the nearest of the others.
        batches: How many batches before it that is held against; 0 for the other rows of the same one.
    """

    name: str
    rows: tuple[int, ...]
    kind: Kind
    value: float = 0.0
    others: float = 0.0
    batches: int = 0

    @property
    def factor(self) -> float:
        """By how much they are larger, or smaller; 0 where it is no matter of size."""
        if self.kind in (Kind.ZERO, Kind.CONSTANT, Kind.UNSEEN):
            return 0.0
        return max(self.value / self.others, self.others / self.value)


def rows_among(lengths: Iterable[int]) -> int | None:
    """How many samples a batch has, by the first dimensions of its tensors: what most share; None if none has any.

    Of lengths that occur equally often it is the first: what goes into the model comes first.
    """
    counted = Counter(length for length in lengths if length > 1)
    most = max(counted.values(), default=0)
    return next((length for length, count in counted.items() if count == most), None)
