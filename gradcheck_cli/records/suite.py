"""Many checks, and what they came to together."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck_cli.records.report import Report


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """The reports of many checks, in the order of the file that names them.

    Attributes:
        name: The file that names the checks.
        checks: One report a check, those that failed among them.
        exit_code: 0 clean, 1 findings that fail, 2 a check could not be made, 130 interrupted.
        fixed: Findings of the baseline that no check has any more, each as `check: code layer`.
        seconds: Wall time of the whole run.
    """

    name: str
    checks: tuple[Report, ...]
    exit_code: int
    fixed: tuple[str, ...] = ()
    seconds: float = 0.0
