"""Two runs compared: what is new, fixed or still there, and how far the gradient of each layer moved."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.report import Finding, Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.reports.runwords import series_label
from gradcheck_cli.reports.verdicts import serious, verdict
from gradcheck_cli.words import count_of, listing

FAR = 0.5
"""Decades from which on a layer's move is shown without --verbose: a factor of three."""
FARTHEST = 12
"""Moves shown without --verbose."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingChange:
    """A finding and those of its layers for which it is new, fixed or still there."""

    code: str
    rule: str
    severity: Severity
    layers: tuple[str, ...]
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """The gradient of one layer in both runs, in decades from the loss; None where there was none.

    `moved` is after - before in decades, None where either is missing.
    """

    layer: str
    before: float | None
    after: float | None
    moved: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """A series in two runs of a script.

    Attributes:
        series: Its name.
        same: The last step up to which both are the same, or None where they never were, or it is not known.
        parted: The first step seen at which they are not, or None.
        before: The last value in the earlier run; `after` in the later.
    """

    series: str
    same: int | None
    parted: int | None
    before: float
    after: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckComparison:
    """One check in both runs. A verdict is empty where the run did not hold the check."""

    name: str
    before: str
    after: str
    new: tuple[FindingChange, ...] = ()
    fixed: tuple[FindingChange, ...] = ()
    still: tuple[FindingChange, ...] = ()
    moves: tuple[Move, ...] = ()
    courses: tuple[Course, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the verdict or the findings differ, or a layer moved far."""
        parted = any(course.parted is not None for course in self.courses)
        return self.before != self.after or bool(self.new or self.fixed) or parted or any(map(is_far, self.moves))


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportComparison:
    """Two runs, check by check, in the order of the later one; `before` and `after` are their names."""

    before: str
    after: str
    checks: tuple[CheckComparison, ...]


def compare(before: Report | SuiteReport, after: Report | SuiteReport, names: tuple[str, str]) -> ReportComparison:
    """Compare two reports whatever they are called, or two suites check by check.

    Raises:
        TypeError: One is a report, the other a suite.
    """
    if isinstance(before, Report) and isinstance(after, Report):
        return ReportComparison(before=names[0], after=names[1], checks=(compare_checks(before, after),))
    if isinstance(before, SuiteReport) and isinstance(after, SuiteReport):
        return ReportComparison(before=names[0], after=names[1], checks=tuple(_by_name(before, after)))
    raise TypeError("a report cannot be compared with a suite")


def compare_checks(before: Report, after: Report) -> CheckComparison:
    """Compare the findings, by code and layer, and the gradients, by layer."""
    return CheckComparison(
        name=after.name,
        before=verdict(before).value,
        after=verdict(after).value,
        new=tuple(_changes(after, _pairs(before), inside=False)),
        fixed=tuple(_changes(before, _pairs(after), inside=False)),
        still=tuple(_changes(after, _pairs(before), inside=True)),
        moves=tuple(_moves(before, after)),
    )


def is_far(move: Move) -> bool:
    """Whether a gradient came, went, or moved by FAR decades or more."""
    return move.moved is None or not abs(move.moved) < FAR


def summary(comparison: ReportComparison) -> str:
    """`1 new, 2 fixed, 0 still there; 3 layers moved by 0.5 decades or more`."""
    counts = [sum(len(getattr(one, kind)) for one in comparison.checks) for kind in ("new", "fixed", "still")]
    told = "{} new, {} fixed, {} still there".format(*counts)
    if any(one.courses for one in comparison.checks):
        return told
    far = sum(is_far(move) for one in comparison.checks for move in one.moves)
    return f"{told}; {count_of(far, 'layer')} moved by {FAR} decades or more"


def verdict_change(check: CheckComparison) -> str:
    """`ill → ok`, `still ok`, `only in the later run: ill`."""
    if not check.before or not check.after:
        return f"only in the {'later' if check.after else 'earlier'} run: {check.after or check.before}"
    return f"still {check.after}" if check.before == check.after else f"{check.before} → {check.after}"


def change_in_words(change: FindingChange) -> str:
    """Code, severity, message and the layers."""
    where = f" ({listing(change.layers, 3)})" if change.layers else ""
    return f"{change.code} {change.severity.value}  {change.message}{where}"


def moved_in_words(move: Move) -> str:
    """`+6.6 decades`, or that a gradient came or went."""
    if move.moved is None:
        return "gradient lost" if move.after is None else "gradient found"
    return f"{move.moved:+.1f} decades"


def course_in_words(course: Course) -> str:
    """`loss is the same up to step 56, and ends at 2.3 instead of 0.12`."""
    if course.parted is None:
        same = "" if course.same is None else f" is the same up to step {course.same}, the last of the shorter run, and"
    elif course.same is None:
        same = " differs from the first step on, and"
    else:
        same = f" is the same up to step {course.same}, differs from step {course.parted} on, and"
    return f"{series_label(course.series)}{same} ends at {course.after:.3g}, before at {course.before:.3g}"


def farthest(check: CheckComparison) -> list[Move]:
    """The farthest of the moves that are far, in the order of the layers."""
    far = sorted((m for m in check.moves if is_far(m)), key=lambda m: -abs(m.moved) if m.moved is not None else -1e9)
    kept = {move.layer for move in far[:FARTHEST]}
    return [move for move in check.moves if move.layer in kept]


def _by_name(before: SuiteReport, after: SuiteReport) -> Iterator[CheckComparison]:
    earlier = {report.name: report for report in before.checks}
    for report in after.checks:
        if report.name in earlier:
            yield compare_checks(earlier.pop(report.name), report)
        else:
            found = tuple(_changes(report, set(), inside=False))
            yield CheckComparison(name=report.name, before="", after=verdict(report).value, new=found)
    for report in earlier.values():
        yield CheckComparison(name=report.name, before=verdict(report).value, after="")


def _pairs(report: Report) -> set[tuple[str, str]]:
    return {(finding.code, layer) for finding in serious(report) for layer in _layers(finding)}


def _layers(finding: Finding) -> tuple[str, ...]:
    return finding.layers or ("",)


def _changes(report: Report, others: set[tuple[str, str]], *, inside: bool) -> Iterator[FindingChange]:
    """The findings, with those of their layers that are (or are not) among the pairs of the other run."""
    for finding in serious(report):
        layers = tuple(layer for layer in _layers(finding) if ((finding.code, layer) in others) is inside)
        if layers:
            yield FindingChange(
                code=finding.code,
                rule=finding.rule,
                severity=finding.severity,
                layers=tuple(layer for layer in layers if layer),
                message=finding.message,
            )


def _moves(before: Report, after: Report) -> Iterator[Move]:
    earlier = {layer.path: layer.decades for layer in before.layers}
    for layer in after.layers:
        was, now = earlier.get(layer.path, math.nan), layer.decades
        if was != now and not (was is not None and math.isnan(was)):
            moved = None if was is None or now is None else now - was
            yield Move(layer=layer.path, before=was, after=now, moved=moved)
