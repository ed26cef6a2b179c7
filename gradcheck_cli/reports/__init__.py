"""Report -> text, one function a format; `FORMATS` also feeds the command line's choices."""

from __future__ import annotations

from collections.abc import Callable

from gradcheck_cli.records import Report
from gradcheck_cli.reports.jsonfile import read_report, report_from_dict, report_to_dict, report_to_json
from gradcheck_cli.reports.style import Style

__all__ = ["FORMATS", "Style", "read_report", "render", "report_from_dict", "report_to_dict"]


def _table(report: Report, style: Style) -> str:
    # rich is imported only where something is drawn: a JSON report does not pay for it.
    from gradcheck_cli.reports.table import render_table

    return render_table(report, style)


def _json(report: Report, style: Style) -> str:
    return report_to_json(report)


FORMATS: dict[str, Callable[[Report, Style], str]] = {"table": _table, "json": _json}


def render(report: Report, format: str, style: Style | None = None) -> str:
    """The report as text that ends with a newline.

    Args:
        report: What to show.
        format: A key of `FORMATS`.
        style: How it should look; `Style()` if None.
    """
    return FORMATS[format](report, style or Style())
