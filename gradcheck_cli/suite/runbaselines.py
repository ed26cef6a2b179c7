"""The baselines of one run: what each check is held against, what that makes of its report, and what to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gradcheck_cli.errors import UsageError
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.records.verdict import as_expected
from gradcheck_cli.suite.baseline import (
    Baseline,
    KnownCheck,
    baseline_text,
    fixed_since,
    held_against,
    known_from,
    marked,
    read_baseline,
    updated,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunBaselines:
    """Baselines by the path of their file, and whether this run updates them.

    A run that updates them takes what it finds as known, and holds no gradient against those of then.
    """

    files: Mapping[str, Baseline]
    update: bool

    def held(self, planned: PlannedCheck) -> PlannedCheck:
        """The check as it is to be run."""
        return planned if self.update else held_against(planned, self._of(planned))

    def judged(self, planned: PlannedCheck, report: Report) -> Report:
        """The report with the exit code that its baseline and what it expects give it."""
        if planned.baseline:
            report = marked(planned, report, known_from(report) if self.update else self._of(planned))
        return as_expected(planned, report)

    def fixed(self, planned: PlannedCheck, report: Report) -> tuple[str, ...]:
        """One line for each rule of which known findings are gone."""
        return fixed_since(planned, report, self._of(planned))

    def documents(
        self, done: Sequence[tuple[PlannedCheck, Report]], plan: Sequence[PlannedCheck] | None = None
    ) -> Iterator[tuple[str, str]]:
        """Path and text of each file to write, if this run updates them.

        Args:
            done: The checks that ran, with their reports.
            plan: Every check, also those that did not run; others are left out of the files. None keeps all.
        """
        for path, baseline in self.files.items() if self.update else ():
            reports = {planned.name: report for planned, report in done if planned.baseline == path}
            names = baseline.checks if plan is None else {one.name for one in plan if one.baseline == path}
            yield path, baseline_text(updated(baseline, reports, names))

    def _of(self, planned: PlannedCheck) -> KnownCheck | None:
        return self.files[planned.baseline].checks.get(planned.name) if planned.baseline else None


def load_known(plan: Sequence[PlannedCheck], *, update: bool) -> RunBaselines:
    """The baselines that a plan names; one that is to be updated need not exist.

    Raises:
        ConfigError: One cannot be read or is no baseline.
        UsageError: There is none to update, or none for the drift.
    """
    paths = sorted({planned.baseline for planned in plan if planned.baseline})
    if update and not paths:
        raise UsageError("--update-baseline needs a file", hint="Give it with --baseline FILE.")
    if any(planned.drift and not planned.baseline for planned in plan):
        raise UsageError("drift is told against a baseline", hint="Give its file with --baseline FILE.")
    return RunBaselines(files={path: read_baseline(path, missing_ok=update) for path in paths}, update=update)
