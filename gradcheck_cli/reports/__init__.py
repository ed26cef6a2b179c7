"""Report -> text, one function a format; `FORMATS` also feeds the command line's choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gradcheck_cli.reports.style import Style

if TYPE_CHECKING:
    from gradcheck_cli.records.report import Report
    from gradcheck_cli.records.suite import SuiteReport

__all__ = ["FORMATS", "Style", "render"]

# Each format loads what it draws with when it is drawn: a usage error needs their names only.


def _table(report: Report | SuiteReport, style: Style) -> str:
    from gradcheck_cli.records.suite import SuiteReport

    if isinstance(report, SuiteReport):
        from gradcheck_cli.reports.suitetable import render_suite

        return render_suite(report, style)
    from gradcheck_cli.reports.table import render_table

    return render_table(report, style)


def _json(report: Report | SuiteReport, style: Style) -> str:
    from gradcheck_cli.records.suite import SuiteReport
    from gradcheck_cli.reports.jsonfile import report_to_json, suite_to_json

    return suite_to_json(report) if isinstance(report, SuiteReport) else report_to_json(report)


FORMATS: dict[str, Callable[[Report | SuiteReport, Style], str]] = {"table": _table, "json": _json}


def render(report: Report | SuiteReport, format: str, style: Style | None = None) -> str:
    """The report as text that ends with a newline.

    Args:
        report: What to show: one check, or a suite of them.
        format: A key of `FORMATS`.
        style: How it should look; `Style()` if None.
    """
    return FORMATS[format](report, style or Style())
