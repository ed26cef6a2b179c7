"""The geometry of a run's charts: its series over the steps with its alarms."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradcheck_cli.records.timeline import Point, Timeline
from gradcheck_cli.reports.charts import HEIGHT, WIDTH
from gradcheck_cli.reports.curves import spans_decades
from gradcheck_cli.reports.runwords import says_something, series_label
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.verdicts import serious

_USUAL_UPDATE = 1e-3
"""Updates of about a thousandth of the weights are usual (Karpathy, 2019)."""
_ABOUT = {
    "grad_norm": "norm of all gradients of an update, before clipping",
    "rate": "learning rate, the largest of the parameter groups",
    "scale": "what the GradScaler multiplies the loss by",
    "update_ratio": "how far an update moves a weight matrix, the one that moves most; read on sampled steps",
    "adam_rms": "how far Adam moves the weights, in learning rates: 1 where all gradients point one way",
    "own_batch_descent": "share of its loss by which an update lowers that of its own batch; below 0 it raises it",
    "distinguishability": "D, distinguishability: the share of what reaches the last layer that differs between "
    "samples; at 0 it gets the same for all of them, and can tell none from another",
    "dead": "share of units that are off for the whole batch: least, mean and greatest of the layers",
    "saturated": "share of activations without a slope: least, mean and greatest of the layers",
    "output_rms": "scale of what layers put out: least, mean and greatest of the layers",
}
"""What a series is, for those who meet it for the first time."""
_EXPECTED = ("loss", *(name for name in _ABOUT if name not in ("rate", "scale")))
"""What a reader looks for; a rate that stays and a loss scale that is not there are told elsewhere."""
_SHARES = ("dead", "saturated")
_ABSENT = {
    "adam_rms": "no optimizer that divides by past gradients, as Adam does",
    "distinguishability": "the last layer is not known, or there are fewer than four samples",
    "dead": "no ReLU or the like was called",
    "saturated": "no sigmoid, tanh or the like was called",
}
"""Why a series may not be there although steps were sampled and taken again."""


@dataclass(frozen=True)
class AlarmMark:
    """An alarm: where it stands in the chart, what is said of it, and whether it is a finding."""

    x: float
    told: str
    stands: bool


@dataclass(frozen=True)
class Line:
    """A level to hold a series against: its y, and what it is."""

    y: float
    told: str


@dataclass(frozen=True)
class RunChart:
    """A series of a run.

    Attributes:
        label: What it is called.
        of_loss: Whether it is the loss of an optimiser.
        about: What that is; empty for what everybody knows.
        log: Whether its scale is logarithmic.
        lines: Unbroken stretches of its means, each a list of (x, y).
        bands: The same stretches between least and greatest: the outline, there and back.
        bad: Where it is not finite, each stretch from one x to another.
        ticks: The horizontal lines, as y and what stands beside it.
        skips: The x of updates that a GradScaler skipped.
        reference: A line to hold it against, or None.
        first: Its first value in words; `last` likewise.
    """

    label: str
    of_loss: bool
    about: str
    log: bool
    lines: tuple[tuple[tuple[float, float], ...], ...]
    bands: tuple[tuple[tuple[float, float], ...], ...]
    bad: tuple[tuple[float, float], ...]
    ticks: tuple[tuple[float, str], ...]
    skips: tuple[float, ...]
    reference: Line | None
    first: str
    last: str


def run_charts(run: Timeline, style: Style) -> list[RunChart]:
    """A chart for every series that says something, losses first; for all that are curves with `style.verbose`."""
    return [_chart(name, run) for name in sorted(_drawn(run, style), key=lambda name: _series_of(name) != "loss")]


def not_drawn(run: Timeline, style: Style) -> str:
    """What has no chart, and why, in a line; empty where there is nothing to say."""
    drawn = {_series_of(name) for name in _drawn(run, style)}
    missing: dict[str, list[str]] = {}
    for name in _EXPECTED if run.series else ():
        if name not in drawn:
            missing.setdefault(_why_not(name, run), []).append(series_label(name))
    return "; ".join(f"{', '.join(labels)} ({why})" for why, labels in missing.items())


def _drawn(run: Timeline, style: Style) -> list[str]:
    """The series that are curves: of one point there is nothing to see, and of a share that is 0 throughout no more."""
    curves = {name: points for name, points in run.series.items() if len(points) > 1 and _series_of(name) != "skipped"}
    return [n for n, points in curves.items() if style.verbose or (says_something(n, points) and not _is_0(n, points))]


def _is_0(name: str, points: Sequence[Point]) -> bool:
    return _series_of(name) in _SHARES and not any(point.max for point in points)


def _why_not(name: str, run: Timeline) -> str:
    had = [points for key, points in run.series.items() if _series_of(key) == name]
    if had:
        return "0 throughout" if all(_is_0(name, points) for points in had) else "read at one step only"
    if name in ("loss", "grad_norm"):
        return "not to be read"
    if "update_ratio" not in run.series:
        return "no step was sampled"
    if name != "adam_rms" and "output_rms" not in run.series:
        return "no step was taken again to read them"
    return _ABSENT.get(name, "not to be had of the sampled steps")


def _series_of(name: str) -> str:
    """The name of a series without the optimiser's number."""
    return name.partition("/")[0]


def alarm_marks(run: Timeline) -> list[AlarmMark]:
    """Where the alarms stand in each chart."""
    return [
        AlarmMark(
            across(a.step, run.steps), f"step {a.step}: {a.kind.value}, {a.verdict.value}", bool(serious(a.report))
        )
        for a in run.alarms
    ]


def across(step: int, steps: int) -> float:
    """The x of a step of a run of so many."""
    return WIDTH * (step - 1) / max(1, steps - 1)


def _chart(name: str, run: Timeline) -> RunChart:
    points, steps, (series, slash, optimizer) = run.series[name], run.steps, name.partition("/")
    finite = [value for p in points for value in p[1:] if math.isfinite(value)]
    level, told = _reference(series, int(optimizer or 0), run) if finite else (None, "")
    spread = finite if level is None else [*finite, level]
    log = spans_decades(spread)
    low, high = _range(spread, log)

    def y(value: float) -> float:
        place = math.log10(value) if log else value
        return HEIGHT * ((high / 2 - place / 2) / (high / 2 - low / 2))  # halves, whose difference is never infinite

    skipped = run.series.get(f"skipped{slash}{optimizer}", ()) if series in ("grad_norm", "scale") else ()
    runs = list(_unbroken(points))
    lines = tuple(tuple((across(p.step, steps), y(p.mean)) for p in run) for run in runs)
    bands = tuple(
        (
            *((across(p.step, steps), y(p.max)) for p in run),
            *((across(p.step, steps), y(p.min)) for p in reversed(run)),
        )
        for run in runs
    )
    return RunChart(
        label=series_label(name),
        of_loss=series == "loss",
        about=_ABOUT.get(series, ""),
        log=log,
        lines=lines,
        bands=bands,
        bad=tuple(_not_finite(points, steps)),
        ticks=tuple(_ticks(low, high, log)),
        skips=tuple(across(p.step, steps) for p in skipped if p.max),
        reference=None if level is None else Line(y(level), told),
        first=f"{points[0].mean:.3g}",
        last=f"{points[-1].mean:.3g}",
    )


def _reference(series: str, optimizer: int, run: Timeline) -> tuple[float | None, str]:
    """The level to hold a series of an optimiser against, and what it is."""
    if series == "update_ratio":
        return _USUAL_UPDATE, "about 1e-3 is usual"
    clipped = (use.clip_limit for use in run.optimizers if use.optimizer == optimizer and use.clipped)
    limit = next(clipped, None) if series == "grad_norm" else None
    if limit is None or not 0 < limit < math.inf:
        return None, ""
    return limit, f"clipped to a norm of {limit:.3g}"


def _range(values: Sequence[float], log: bool) -> tuple[float, float]:
    """The least and the greatest value that a chart has room for, in decades with a logarithmic scale."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if log:
        return float(math.floor(math.log10(low))), float(math.ceil(math.log10(high)))
    room = 0.0 if low < high else abs(low) / 2 or 0.5
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
                yield start, across(point.step, steps)
            start = None
        elif start is None:
            start = across(point.step, steps)
    if start is not None:
        yield start, WIDTH
