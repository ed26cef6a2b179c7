"""Two runs of a script compared: their findings as those of two checks, and where their series part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from gradcheck_cli.records.timeline import Point, Timeline
from gradcheck_cli.reports.comparison import Course, ReportComparison, compare_checks
from gradcheck_cli.reports.runreport import run_report

ALIKE = 1e-6
"""Relative difference up to which values are the same: sums of several threads differ by about 1e-7."""


def compare_runs(before: Timeline, after: Timeline, names: tuple[str, str]) -> ReportComparison:
    """Compare the findings of two runs, whatever their steps, and the series that both have."""
    check = compare_checks(run_report(before), run_report(after))
    return ReportComparison(
        before=names[0], after=names[1], checks=(replace(check, courses=tuple(_courses(before, after))),)
    )


def _courses(before: Timeline, after: Timeline) -> Iterator[Course]:
    for name, points in after.series.items():
        others = before.series.get(name)
        if others and points:
            same, parted = _parted(others, points)
            yield Course(series=name, same=same, parted=parted, before=others[-1].mean, after=points[-1].mean)


def _parted(before: Sequence[Point], after: Sequence[Point]) -> tuple[int | None, int | None]:
    """The last step up to which both are the same, and the first at which they are not; None where unknown."""
    if _stride(before) != _stride(after):
        return None, None
    same = None
    for one, other in zip(before, after, strict=False):
        if one.step != other.step or not all(map(_alike, one[1:], other[1:])):
            return same, other.step
        same = other.step
    return same, None


def _stride(points: Sequence[Point]) -> int:
    """Steps that a point stands for."""
    return points[1].step - points[0].step if len(points) > 1 else 1


def _alike(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=ALIKE) or (math.isnan(one) and math.isnan(other))
