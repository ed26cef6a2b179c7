"""The geometry of the charts: what goes where, in plain numbers and in the order in which it is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.ops import KINDS
from gradcheck_cli.records.report import Layer, Report, Trial
from gradcheck_cli.records.series import Series
from gradcheck_cli.reports.folding import Fold, rows
from gradcheck_cli.reports.style import Style

WIDTH, HEIGHT = 640.0, 180.0
"""Of a chart, in its own units."""


@dataclass(frozen=True)
class ChartPoint:
    """A layer or a step: its place in the chart, its name, its value in decades, and whether it is ill."""

    x: float
    y: float
    name: str
    decades: float
    ill: bool = False


@dataclass(frozen=True)
class Chart:
    """A line over depth or time.

    `runs` holds unbroken stretches of points; `ticks` the decades of the horizontal lines with their y.
    """

    runs: tuple[tuple[ChartPoint, ...], ...]
    ticks: tuple[tuple[float, int], ...]

    @property
    def points(self) -> list[ChartPoint]:
        """All points, first to last."""
        return [point for run in self.runs for point in run]


@dataclass(frozen=True)
class Segment:
    """A stretch of a stacked bar, `start` and `length` in percent of the chart's width."""

    kind: str
    index: int
    decades: float
    start: float
    length: float


@dataclass(frozen=True)
class LedgerRow:
    """A layer's gradient taken apart, or a fold of layers."""

    layer: Layer | None
    fold: Fold | None
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class LedgerChart:
    """The stacked bars of the layers from the loss down; `zero` is where 0 decades lie, in percent."""

    rows: tuple[LedgerRow, ...]
    zero: float
    kinds: tuple[tuple[int, str], ...]


def profile_chart(report: Report) -> Chart | None:
    """Decades from the loss over depth, the input at the left; None with fewer than two layers to draw."""
    codes = {f.code for f in report.findings if f.severity is not Severity.NOTE}
    names = [layer.path or layer.kind for layer in report.layers]
    return _chart([layer.decades for layer in report.layers], names, [x.status in codes for x in report.layers])


def series_charts(report: Report, style: Style) -> list[tuple[Series, Chart]]:
    """The gradient at each step in decades, the worst series first, and all of them with --verbose."""
    distinct = {(one.steps, one.norms): one for one in reversed(report.series)}
    worst_first = sorted(distinct.values(), key=lambda one: (one.attenuation, one.parameter))
    drawn = ((one, _series_chart(one)) for one in (worst_first if style.verbose else worst_first[:1]))
    return [(one, chart) for one, chart in drawn if chart]


def ledger_chart(report: Report, style: Style) -> LedgerChart:
    """Every layer's decades by kind of factor: losses to the left of zero, gains to the right."""
    kept = rows(report.layers, report.findings, style.verbose)
    parts = [_parts(row) for row in kept]
    low = -min([0.0, *(sum(v for v in part.values() if v < 0) for part in parts)])
    high = max([0.0, *(sum(v for v in part.values() if v > 0) for part in parts)])
    scale = 100.0 / (low + high) if low + high > 0 else 0.0
    drawn = tuple(
        LedgerRow(
            layer=None if isinstance(row, Fold) else row,
            fold=row if isinstance(row, Fold) else None,
            segments=tuple(_segments(part, low * scale, scale)),
        )
        for row, part in zip(kept, parts, strict=True)
    )
    used = {kind for part in parts for kind in part}
    return LedgerChart(rows=drawn, zero=low * scale, kinds=tuple((i, k) for i, k in enumerate(KINDS) if k in used))


def trial_bars(trial: Trial) -> tuple[tuple[str, float, float], ...]:
    """`before` and `after` with their value and their length in percent of the longer; empty if not measured."""
    if trial.before is None or trial.after is None or not math.isfinite(trial.before + trial.after):
        return ()
    sizes = [abs(value) for value in (trial.before, trial.after)]
    if not trial.unit.startswith(_LINEAR) and min(sizes) > 0:  # a ratio is drawn by its decades
        sizes = [abs(math.log10(size)) for size in sizes]
    longest = max(sizes) or 1.0
    named = zip(("before", "after"), (trial.before, trial.after), sizes, strict=True)
    return tuple((name, value, 100 * size / longest) for name, value, size in named)


_LINEAR = ("decades", "of ", "saturated", "loss of ", "|dw|")
"""How the units of trials begin that are no ratios."""


def _series_chart(one: Series) -> Chart | None:
    logs = [math.log10(norm) if 0 < norm < math.inf else None for norm in one.norms]
    return _chart(logs, [f"step {i + 1}" for i in range(len(logs))], [False] * len(logs))


def _chart(values: Sequence[float | None], names: Sequence[str], ill: Sequence[bool]) -> Chart | None:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if len(finite) < 2:
        return None
    low, high = math.floor(min(finite)), max(math.ceil(max(finite)), math.floor(min(finite)) + 1)

    def height(value: float) -> float:
        return HEIGHT * (high - value) / (high - low)

    runs: list[list[ChartPoint]] = [[]]
    for place, (value, name, bad) in enumerate(zip(values, names, ill, strict=True)):
        if value is None or not math.isfinite(value):
            runs.append([])
            continue
        runs[-1].append(ChartPoint(WIDTH * place / (len(values) - 1), height(value), name, value, bad))
    step = max(1, math.ceil((high - low) / 5))
    ticks = tuple((height(decade), decade) for decade in range(high, low - 1, -step))
    return Chart(runs=tuple(tuple(run) for run in runs if run), ticks=ticks)


def _parts(row: Layer | Fold) -> dict[str, float]:
    """The finite, non-zero decades of a layer by kind, in the order of the kinds."""
    if isinstance(row, Fold):
        return {}
    merged = dict.fromkeys(KINDS, 0.0)
    for kind, value in row.by_kind.items():
        if math.isfinite(value):
            merged[kind if kind in merged else "other"] += value
    return {kind: value for kind, value in merged.items() if value}


def _segments(parts: dict[str, float], zero: float, scale: float) -> Iterator[Segment]:
    left = right = zero
    for kind, value in parts.items():
        length = abs(value) * scale
        if value < 0:
            left -= length
            yield Segment(kind, KINDS.index(kind), value, left, length)
        else:
            yield Segment(kind, KINDS.index(kind), value, right, length)
            right += length
