"""What findings come to: a status, the exit code of a check, of one that expects findings, and of a suite."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from gradcheck_cli.records.choices import FailOn, Severity, Status
from gradcheck_cli.records.report import Finding, Layer, Report
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.words import listing

MUST_FAIL = ("failed",)
"""What a check expects that must not be checkable."""
_FAILING = {
    FailOn.ERROR: frozenset((Severity.ERROR,)),
    FailOn.WARNING: frozenset((Severity.ERROR, Severity.WARNING)),
    FailOn.NEVER: frozenset[Severity](),
}
_GRAVITY = {severity: place for place, severity in enumerate(Severity)}


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors, then warnings, then notes; within each in the order given, so that causes stay first."""
    return tuple(sorted(findings, key=lambda finding: _GRAVITY[finding.severity]))


def with_status(layers: Iterable[Layer], findings: Iterable[Finding]) -> tuple[Layer, ...]:
    """The layers, each with the code of its gravest finding above a note as its status, where it has one."""
    status: dict[str, str] = {}
    for finding in gravest_first(findings):
        if finding.severity is not Severity.NOTE:
            status = dict.fromkeys(finding.layers, finding.code) | status
    return tuple(replace(layer, status=status.get(layer.path, layer.status)) for layer in layers)


def exit_code(findings: Iterable[Finding], fail_on: FailOn) -> int:
    """0 where no finding that is not known is as severe as `fail_on`, else 1."""
    return int(any(finding.severity in _FAILING[fail_on] and not finding.known for finding in findings))


def status_of(findings: Iterable[Finding], layers: Iterable[Layer]) -> Status:
    """Ill with any finding above a note, else healthy; unknown where no layer has a finite gradient to judge."""
    if any(finding.severity is not Severity.NOTE for finding in findings):
        return Status.ILL
    judged = any(layer.grad_norm is not None and math.isfinite(layer.grad_norm) for layer in layers)
    return Status.HEALTHY if judged else Status.UNKNOWN


def as_expected(planned: PlannedCheck, report: Report) -> Report:
    """The report with the exit code that its check's `expect` gives it.

    0 where every expected rule was reported and no other at or above `fail_on`; without `expect` nothing changes.
    """
    if not planned.expect:
        return report
    if planned.expect == MUST_FAIL:
        if report.status is Status.FAILED:
            return replace(report, exit_code=0, notes=(*report.notes, "could not be checked, as expected"))
        return _judged(report, ["it could be checked, which was not expected"])
    if report.status is Status.FAILED:
        return report
    wanted = set(planned.expect)
    found = {name for finding in report.findings for name in (finding.code, finding.rule)}
    missing = sorted(wanted - found)
    extra = [f.code for f in report.findings if not wanted & {f.code, f.rule} and exit_code((f,), planned.spec.fail_on)]
    told = [f"expected, but not found: {listing(missing)}"] if missing else []
    return _judged(report, [*told, *([f"found, but not expected: {listing(extra)}"] if extra else [])])


def suite_exit_code(reports: Iterable[Report]) -> int:
    """2 where a check could not be made, else 1 where one found something, else 0."""
    return max((report.exit_code for report in reports), default=0)


def _judged(report: Report, told: list[str]) -> Report:
    notes = told or ["ill, as expected"]
    return replace(report, exit_code=int(bool(told)), notes=(*report.notes, *notes))
