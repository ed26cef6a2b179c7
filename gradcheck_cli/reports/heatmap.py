"""The geometry of a heat map: the layers of a run over its sampled steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gradcheck_cli.records.timeline import LayerCourse
from gradcheck_cli.reports.charts import WIDTH
from gradcheck_cli.reports.runcharts import across

LEVELS = 8
"""Shades of a heat map, from the least to the greatest decade in it."""
_COLUMNS, _ROWS = 80, 60
"""Of a heat map at most; more layers or steps are thinned evenly."""


@dataclass(frozen=True)
class HeatmapCell:
    """Neighbouring steps of one shade, `start` and `length` in percent; level None where a value is not finite.

    Where it has no value at all there is no stretch.
    """

    start: float
    length: float
    level: int | None


@dataclass(frozen=True)
class HeatMap:
    """log10 of the relative gradient, layer by layer over the sampled steps.

    Attributes:
        rows: A layer's path and its stretches.
        left_out: Layers that are not shown.
        low, high: The decades of the palest and of the darkest shade.
        first, last: The first of the sampled steps, and the last step of the run: the map begins at step 1.
    """

    rows: tuple[tuple[str, tuple[HeatmapCell, ...]], ...]
    left_out: int
    low: float
    high: float
    first: int
    last: int


def heat_map(layers: Mapping[str, LayerCourse], last: int) -> HeatMap | None:
    """The layers over a run of `last` steps; None where fewer than two steps of them were sampled."""
    steps = next((course.steps for course in layers.values()), ())
    kept = _thinned(list(layers.items()), _ROWS)
    known = (value for _, course in kept for value in course.relative_gradient if value is not None)
    decades = [decade for value in known if math.isfinite(decade := _decade(value))]
    if len(steps) < 2 or not decades:
        return None
    low, high = min(decades), max(decades)
    rows = tuple((name, tuple(_stretches(course, last, low, high))) for name, course in kept)
    return HeatMap(rows, len(layers) - len(kept), low, high, steps[0], last)


def _thinned(values: list[tuple[str, LayerCourse]], most: int) -> list[tuple[str, LayerCourse]]:
    return values[:: math.ceil(len(values) / most) or 1]


def _decade(value: float) -> float:
    """log10 of a relative gradient; -inf for 0, NaN for what is not finite."""
    if not math.isfinite(value):
        return math.nan
    return math.log10(value) if value > 0 else -math.inf


def _stretches(course: LayerCourse, last: int, low: float, high: float) -> Iterator[HeatmapCell]:
    """Each column reaches to the next sampled step, and shows the greatest of its values; none where it has none."""
    size = math.ceil(len(course.steps) / _COLUMNS) or 1
    places = range(0, len(course.steps), size)
    columns = [[v for v in course.relative_gradient[place : place + size] if v is not None] for place in places]
    levels = [_level([_decade(value) for value in column], low, high) for column in columns]
    ends = [*(100 * across(course.steps[place], last) / WIDTH for place in places), 100.0]
    start = 0
    for place in range(1, len(levels) + 1):
        if place == len(levels) or levels[place] != levels[start]:
            if columns[start]:
                yield HeatmapCell(ends[start], ends[place] - ends[start], levels[start])
            start = place


def _level(decades: Sequence[float], low: float, high: float) -> int | None:
    """The shade of the greatest of them; None where one is NaN, -1 without any."""
    if not decades or any(map(math.isnan, decades)):
        return None if decades else -1
    decade = max(decades)
    share = (max(decade, low) - low) / (high - low) if high > low else 1.0
    return min(LEVELS - 1, int(share * LEVELS))
