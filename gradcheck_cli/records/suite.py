"""Many checks: what a suite plans and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck_cli.records.report import Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.spec import CheckSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedCheck:
    """One check of a suite, once defaults, matrix and command line have been applied.

    Attributes:
        name: Unique in its suite.
        spec: What to check, a model or the run of a script; paths in it are absolute or relative to the current folder.
        timeout: Seconds after which the check is ended, or None.
        max_memory: Bytes of resident memory of all its processes together above which the check is ended, or None.
        expect: Codes of findings that it must report, or "failed" where it must not be possible to check it; empty
            for a check that must be healthy.
        baseline: The file that holds the findings which are known, or None.
        drift: Decades that the gradient of a layer may move from what it was in the baseline, or None for any number.
    """

    name: str
    spec: CheckSpec | RunOptions
    timeout: float | None = None
    max_memory: int | None = None
    expect: tuple[str, ...] = ()
    baseline: str | None = None
    drift: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteReport:
    """The reports of a suite's checks, in the order of its file; `notes` are about the suite as a whole."""

    name: str
    checks: tuple[Report, ...]
    exit_code: int
    seconds: float
    error: str = ""
    notes: tuple[str, ...] = ()
