"""What is kept of a long run: bounded, however long it is, and so that a spike of one step survives.

Up to `MOST` vitals all are kept. Of more, the first and the last ones are, for what begins a run and what its window
is; between them every second, fourth, ... of each optimiser; and of all of them the curves, by least, mean, greatest.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from itertools import chain

from gradcheck_cli.records.timeline import Point, Vital

MOST = 20_000
"""Vitals that are kept at most, some megabytes."""
FIRST, LAST = 1_000, 10_000
"""Those of them that are the first of a run, and the last."""
POINTS = 400
"""Points of a curve at most."""
CURVES = ("loss", "grad_norm", "rate", "scale", "skipped")
"""The fields of a vital that have one."""


def drawable(vital: Vital, name: str) -> float | None:
    """A field of a vital as a number, if it was read: 1 for what is so, 0 for what is not."""
    if name == "skipped" and vital.scale is None:  # nothing skips updates but a GradScaler
        return None
    value: float | None = getattr(vital, name)
    return value if value is None else float(value)


class DownsampledSeries:
    """One series, as at most `POINTS` stretches of equally many values."""

    def __init__(self) -> None:
        self._size = 1
        self._points: list[Point] = []
        self._open: list[tuple[int, float]] = []

    def append(self, step: int, value: float) -> None:
        """The next value."""
        self._open.append((step, value))
        if len(self._open) == self._size:
            self._points.append(point_of(self._open[0][0], [value for _, value in self._open]))
            self._open = []
            if len(self._points) == 2 * POINTS:
                self._points = _halved(self._points)
                self._size *= 2

    def points(self) -> tuple[Point, ...]:
        """What there is so far."""
        rest = [point_of(self._open[0][0], [value for _, value in self._open])] if self._open else []
        points = self._points if len(self._points) + len(rest) <= POINTS else _halved(self._points)
        return (*points, *rest)


def point_of(step: int, values: list[float]) -> Point:
    """A stretch of a series. A NaN makes its mean NaN; least and greatest are those of its other values."""
    numbers = [value for value in values if not math.isnan(value)] or [math.nan]
    return Point(step, min(numbers), sum(values) / len(values), max(numbers))


def _halved(points: list[Point]) -> list[Point]:
    pairs = zip(points[::2], points[1::2], strict=False)
    halved = [_joined(one, other) for one, other in pairs]
    return halved + points[2 * len(halved) :]


def _joined(one: Point, other: Point) -> Point:
    least = [value for value in (one.min, other.min) if not math.isnan(value)] or [math.nan]
    most = [value for value in (one.max, other.max) if not math.isnan(value)] or [math.nan]
    return Point(one.step, min(least), (one.mean + other.mean) / 2, max(most))


class VitalHistory:
    """The vitals of one process, given in their order.

    Attributes:
        updates: How many there were.
        unread: How many of them had no loss, and no gradient norm.
    """

    def __init__(self) -> None:
        self.updates = 0
        self.unread = {"loss": 0, "grad_norm": 0}
        self._first: list[Vital] = []
        self._between: list[Vital] = []
        self._last: deque[Vital] = deque()
        self._every = 1
        self._curves: dict[tuple[int, str], DownsampledSeries] = {}

    def append(self, vital: Vital) -> None:
        """The next one."""
        self.updates += 1
        for name in self.unread:
            self.unread[name] += getattr(vital, name) is None
        if len(self._first) < FIRST:
            self._first.append(vital)
            return
        self._last.append(vital)
        if self._curves:
            self._draw(vital)
        elif self.updates > MOST:
            for each in self.vitals():
                self._draw(each)
        if len(self._last) > LAST:
            self._pass_on(self._last.popleft())

    def vitals(self) -> tuple[Vital, ...]:
        """Those that are kept."""
        return tuple(chain(self._first, self._between, self._last))

    def curves(self) -> Mapping[tuple[int, str], tuple[Point, ...]]:
        """Those of all, by optimiser and field; empty where all vitals are kept."""
        return {key: curve.points() for key, curve in self._curves.items()}

    def _pass_on(self, vital: Vital) -> None:
        if vital.optimizer_step % self._every == 0:
            self._between.append(vital)
        if len(self._between) > MOST - FIRST - LAST:
            self._every *= 2
            self._between = [each for each in self._between if each.optimizer_step % self._every == 0]

    def _draw(self, vital: Vital) -> None:
        for name in CURVES:
            if (value := drawable(vital, name)) is not None:
                self._curves.setdefault((vital.optimizer, name), DownsampledSeries()).append(vital.step, value)
