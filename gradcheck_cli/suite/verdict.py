"""What a report means to its suite: whether it is what the file expects, and the exit code of them all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gradcheck_cli.names import listing
from gradcheck_cli.records.choices import FailOn, Severity, Status
from gradcheck_cli.records.report import Finding, Report
from gradcheck_cli.records.suite import PlannedCheck

MUST_FAIL = ("failed",)
"""What a check expects that must not be checkable."""


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
    extra = [f.code for f in report.findings if not wanted & {f.code, f.rule} and _fails(f, planned.spec.fail_on)]
    told = [f"expected, but not found: {listing(missing)}"] if missing else []
    return _judged(report, [*told, *([f"found, but not expected: {listing(extra)}"] if extra else [])])


def suite_exit_code(reports: Iterable[Report]) -> int:
    """2 where a check could not be made, else 1 where one found something, else 0."""
    return max((report.exit_code for report in reports), default=0)


def _judged(report: Report, told: list[str]) -> Report:
    notes = told or ["ill, as expected"]
    return replace(report, exit_code=int(bool(told)), notes=(*report.notes, *notes))


def _fails(finding: Finding, fail_on: FailOn) -> bool:
    if fail_on is FailOn.NEVER:
        return False
    return finding.severity is Severity.ERROR or (fail_on is FailOn.WARNING and finding.severity is Severity.WARNING)
