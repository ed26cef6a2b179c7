"""The series of a run as sparklines over one axis of steps, with its alarms marked below."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gradcheck_cli.records.timeline import Point

DECADES = 2.0
"""Decades that a curve has to span to be drawn on a log scale."""
_LEVELS = "▁▂▃▄▅▆▇█"
_ASCII_LEVELS = "_.-:=+*#"
BAD, _ASCII_BAD = "×", "x"
"""A column that holds a value which is not finite."""


@dataclass(frozen=True)
class Sparkline:
    """A series as drawn: one character a column, its first and last value, and whether the scale is logarithmic."""

    line: str
    first: float
    last: float
    log: bool


@dataclass(frozen=True)
class Axis:
    """The steps of a run, from 1, spread over columns."""

    steps: int
    columns: int

    def column(self, step: int) -> int:
        """The column of a step, from 0."""
        return min(self.columns - 1, max(0, (step - 1) * self.columns // self.steps))


def axis_of(steps: int, room: int) -> Axis:
    """The axis of so many steps (at least one) in at most so many columns."""
    return Axis(steps=max(1, steps), columns=max(1, min(room, steps)))


def curve(points: Sequence[Point], axis: Axis, unicode: bool = True) -> Sparkline:
    """A series of at least one point, each column drawn by its greatest value so that spikes are seen."""
    columns = _columns(points, axis)
    finite = [value for value in columns.values() if math.isfinite(value)]
    log = spans_decades(finite)
    scaled = [math.log10(value) for value in finite] if log else finite
    low, high = (min(scaled), max(scaled)) if scaled else (0.0, 0.0)
    levels, bad = (_LEVELS, BAD) if unicode else (_ASCII_LEVELS, _ASCII_BAD)

    def drawn(value: float | None) -> str:
        if value is None:
            return " "
        if not math.isfinite(value):
            return bad
        height = (math.log10(value) if log else value) / 2 - low / 2  # halves, whose difference is never infinite
        reach = high / 2 - low / 2
        return levels[round(height / reach * (len(levels) - 1)) if reach > 0 else 0]

    line = "".join(drawn(columns.get(place)) for place in range(axis.columns))
    return Sparkline(line=line, first=points[0].mean, last=points[-1].mean, log=log)


def _columns(points: Sequence[Point], axis: Axis) -> Mapping[int, float]:
    """The greatest value of every column that has any; NaN or Inf where one is not finite."""
    columns: dict[int, float] = {}
    for point in points:
        place = axis.column(point.step)
        value = point.max if math.isfinite(point.mean) else point.mean
        before = columns.get(place, -math.inf)
        columns[place] = value if place not in columns or not value <= before else before
    return columns


def spans_decades(values: Sequence[float]) -> bool:
    """Whether finite values are positive and span enough decades for a log scale."""
    return bool(values) and min(values) > 0 and math.log10(max(values)) - math.log10(min(values)) >= DECADES


def marks(steps: Iterable[tuple[int, str]], axis: Axis) -> str:
    """A line with a mark in the column of each step; where two meet, the first stays."""
    line = [" "] * axis.columns
    for step, mark in steps:
        place = axis.column(step)
        line[place] = line[place] if line[place] != " " else mark
    return "".join(line).rstrip()


def numbered(steps: Iterable[int], axis: Axis) -> str:
    """A line with the number of each step below its column, as far as they do not meet."""
    line = [" "] * axis.columns
    for step in steps:
        text = str(step)
        start = max(0, min(axis.column(step), axis.columns - len(text)))
        around = line[max(0, start - 1) : start + len(text) + 1]
        if len(text) <= axis.columns and all(character == " " for character in around):
            line[start : start + len(text)] = text
    return "".join(line).rstrip()
