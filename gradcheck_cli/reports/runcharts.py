"""The geometry of a run's charts: its series over the steps with its alarms, and its layers over the sampled steps."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gradcheck_cli.records.timeline import LayerCourse, Point, Timeline
from gradcheck_cli.reports.charts import HEIGHT, WIDTH
from gradcheck_cli.reports.curves import spans_decades
from gradcheck_cli.reports.runwords import says_something, series_label
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.verdicts import serious

LEVELS = 8
"""Shades of a heat map, from the least to the greatest decade in it."""
_COLUMNS, _ROWS = 80, 60
"""Of a heat map at most; more layers or steps are thinned evenly."""
_REFERENCE = {"update_ratio": 1e-3}
"""A line to hold a series against: updates of about a thousandth of the weights are usual (Karpathy, 2019)."""


@dataclass(frozen=True)
class Mark:
    """An alarm: where it stands in the chart, what is said of it, and whether it is a finding."""

    x: float
    told: str
    stands: bool


@dataclass(frozen=True)
class RunChart:
    """A series of a run.

    Attributes:
        label: What it is called.
        log: Whether its scale is logarithmic.
        lines: Unbroken stretches of its means, each a list of (x, y).
        bands: The same stretches between least and greatest: the outline, there and back.
        bad: Where it is not finite, each stretch from one x to another.
        ticks: The horizontal lines, as y and what stands beside it.
        reference: The y of a line to hold it against, or None.
        first: Its first value in words; `last` likewise.
    """

    label: str
    log: bool
    lines: tuple[tuple[tuple[float, float], ...], ...]
    bands: tuple[tuple[tuple[float, float], ...], ...]
    bad: tuple[tuple[float, float], ...]
    ticks: tuple[tuple[float, str], ...]
    reference: float | None
    first: str
    last: str


@dataclass(frozen=True)
class Stretch:
    """Neighbouring steps of one shade, `start` and `length` in percent; level None where the value is not finite."""

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
        first, last: The first and the last of the sampled steps.
    """

    rows: tuple[tuple[str, tuple[Stretch, ...]], ...]
    left_out: int
    low: float
    high: float
    first: int
    last: int


def run_charts(run: Timeline, style: Style) -> list[RunChart]:
    """A chart for every series that says something, in the order of the timeline; for all with `style.verbose`."""
    shown = ((n, points) for n, points in run.series.items() if points and (style.verbose or says_something(n, points)))
    return [_chart(name, points, run.steps) for name, points in shown]


def alarm_marks(run: Timeline) -> list[Mark]:
    """Where the alarms stand in each chart."""
    return [
        Mark(_x(a.step, run.steps), f"step {a.step}: {a.kind.value}, {a.verdict.value}", bool(serious(a.report)))
        for a in run.alarms
    ]


def heat_map(layers: Mapping[str, LayerCourse]) -> HeatMap | None:
    """The layers over the run; None where fewer than two steps of them were sampled."""
    steps = next((course.steps for course in layers.values()), ())
    kept = _thinned(list(layers.items()), _ROWS)
    decades = [d for _, course in kept for value in course.relative_gradient if math.isfinite(d := _decade(value))]
    if len(steps) < 2 or not decades:
        return None
    low, high = min(decades), max(decades)
    rows = tuple((name, tuple(_stretches(course.relative_gradient, low, high))) for name, course in kept)
    return HeatMap(rows, len(layers) - len(kept), low, high, steps[0], steps[-1])


def _x(step: int, steps: int) -> float:
    return WIDTH * (step - 1) / max(1, steps - 1)


def _chart(name: str, points: Sequence[Point], steps: int) -> RunChart:
    finite = [value for p in points for value in p[1:] if math.isfinite(value)]
    reference = _REFERENCE.get(name.partition("/")[0])
    spread = [*finite, reference] if reference is not None and finite else finite
    log = spans_decades(spread)
    low, high = _range(spread, log)

    def y(value: float) -> float:
        place = math.log10(value) if log else value
        return HEIGHT * ((high / 2 - place / 2) / (high / 2 - low / 2))  # halves, whose difference is never infinite

    runs = list(_unbroken(points))
    lines = tuple(tuple((_x(p.step, steps), y(p.mean)) for p in run) for run in runs)
    bands = tuple(
        (
            *((_x(p.step, steps), y(p.max)) for p in run),
            *((_x(p.step, steps), y(p.min)) for p in reversed(run)),
        )
        for run in runs
    )
    return RunChart(
        label=series_label(name),
        log=log,
        lines=lines,
        bands=bands,
        bad=tuple(_not_finite(points, steps)),
        ticks=tuple(_ticks(low, high, log)),
        reference=None if reference is None or not finite else y(reference),
        first=f"{points[0].mean:.3g}",
        last=f"{points[-1].mean:.3g}",
    )


def _range(values: Sequence[float], log: bool) -> tuple[float, float]:
    """The least and the greatest value that a chart has room for, in decades with a logarithmic scale."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if log:
        return float(math.floor(math.log10(low))), float(math.ceil(math.log10(high)))
    room = 0.0 if low < high else max(0.5, abs(low) / 2)
    most = sys.float_info.max
    return max(low - room, -most), min(high + room, most)


def _ticks(low: float, high: float, log: bool) -> Iterator[tuple[float, str]]:
    if not log:
        yield from ((HEIGHT * share, _short(high * (1 - share) + low * share)) for share in (0.0, 0.5, 1.0))
        return
    step = max(1, math.ceil((high - low) / 5))
    for decade in range(round(high), round(low) - 1, -step):
        yield HEIGHT * (high - decade) / (high - low), f"1e{decade}"


def _short(value: float) -> str:
    """`1.05e6`, which fits beside a chart."""
    return f"{value:.3g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


def _is_finite(point: Point) -> bool:
    return all(map(math.isfinite, point[1:]))


def _unbroken(points: Sequence[Point]) -> Iterator[list[Point]]:
    run: list[Point] = []
    for point in points:
        if _is_finite(point):
            run.append(point)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _not_finite(points: Sequence[Point], steps: int) -> Iterator[tuple[float, float]]:
    """From the first such point to the next that is finite."""
    start: float | None = None
    for point in points:
        if _is_finite(point):
            if start is not None:
                yield start, _x(point.step, steps)
            start = None
        elif start is None:
            start = _x(point.step, steps)
    if start is not None:
        yield start, WIDTH


def _thinned(values: list[tuple[str, LayerCourse]], most: int) -> list[tuple[str, LayerCourse]]:
    return values[:: math.ceil(len(values) / most) or 1]


def _decade(value: float | None) -> float:
    """log10 of a relative gradient; -inf for 0, NaN for what is not known or not finite."""
    if value is None or not math.isfinite(value):
        return math.nan
    return math.log10(value) if value > 0 else -math.inf


def _stretches(values: Sequence[float | None], low: float, high: float) -> Iterator[Stretch]:
    kept = values[:: math.ceil(len(values) / _COLUMNS) or 1]
    levels = [_level(_decade(value), low, high) for value in kept]
    start = 0
    for place in range(1, len(levels) + 1):
        if place == len(levels) or levels[place] != levels[start]:
            yield Stretch(100 * start / len(levels), 100 * (place - start) / len(levels), levels[start])
            start = place


def _level(decade: float, low: float, high: float) -> int | None:
    if math.isnan(decade):
        return None
    share = (max(decade, low) - low) / (high - low) if high > low else 1.0
    return min(LEVELS - 1, int(share * LEVELS))
