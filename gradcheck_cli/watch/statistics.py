"""Robust statistics over the last values of a series."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

from gradcheck_cli.records.alarmlimits import ALARMING

GAUSSIAN = 1.4826  # median absolute deviation -> standard deviation
OF_A_MEDIAN = 1.25  # its standard error over that of a mean


class RobustWindow:
    """The last `size` values: median, greatest, and sigma (1.4826 times the median absolute deviation).

    They are kept sorted, so that a value costs a search and a shift, and each statistic a search: microseconds.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._sorted)

    def append(self, value: float) -> None:
        """Take in a finite value; the oldest of a full window leaves."""
        if len(self._values) == self._size:
            del self._sorted[bisect_left(self._sorted, self._values.popleft())]
        self._values.append(value)
        insort(self._sorted, value)

    @property
    def median(self) -> float:
        """The lower median."""
        return self._sorted[(len(self._sorted) - 1) // 2]

    @property
    def greatest(self) -> float:
        """The greatest value."""
        return self._sorted[-1]

    @property
    def sigma(self) -> float:
        """1.4826 times the median absolute deviation, a binary search in the sorted values.

        Deviations from the median ascend to both sides of it, so that the nearest half lies in one stretch.
        """
        values, median = self._sorted, self.median
        wanted = len(values) // 2 + 1
        low, high = 0, len(values) - wanted  # where the stretch of the nearest `wanted` values begins
        while low < high:
            middle = (low + high) // 2
            if median - values[middle] > values[middle + wanted] - median:
                low = middle + 1
            else:
                high = middle
        return GAUSSIAN * max(median - values[low], values[low + wanted - 1] - median)

    def spike(self, value: float, least: float) -> float:
        """Sigmas above the median, where that is a spike beyond anything in the window; else 0.

        Where no noise is known, as after zeros alone, nothing is a spike.

        Args:
            value: The next value, which is not in the window yet.
            least: What sigma is at least.
        """
        over = value - self.median
        if value <= self.greatest or over <= ALARMING.novel * (self.greatest - self.median):
            return 0.0
        sigma = max(self.sigma, least)
        return over / sigma if over > ALARMING.spike * sigma > 0.0 else 0.0
