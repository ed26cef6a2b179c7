"""What came of a check or a suite -> text; `FORMATS` also feeds the command line's choices."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from gradcheck_cli.reports.style import Style

if TYPE_CHECKING:
    from gradcheck_cli.records.report import Report
    from gradcheck_cli.records.suite import SuiteReport

__all__ = ["FORMATS", "Format", "Style", "render", "render_suite"]


@dataclass(frozen=True)
class Format:
    """Where a format's functions of (what to show, style) live, as `module:function` of this package.

    A format loads what it draws with when it is drawn: a usage error needs its name only.
    """

    report: str
    suite: str


FORMATS: dict[str, Format] = {
    "table": Format("table:render_table", "suitetable:render_suite"),
    "json": Format("jsonfile:render_report", "jsonfile:render_suite"),
    "markdown": Format("markdown:render_report", "markdown:render_suite"),
    "github": Format("github:render_report", "github:render_suite"),
    "junit": Format("junit:render_report", "junit:render_suite"),
    "sarif": Format("sarif:render_report", "sarif:render_suite"),
}


def render(result: Report | SuiteReport, format: str, style: Style | None = None) -> str:
    """A report or a suite as text that ends with a newline.

    Args:
        result: What to show.
        format: A key of `FORMATS`.
        style: How it should look; `Style()` if None.
    """
    from gradcheck_cli.records.suite import SuiteReport

    if isinstance(result, SuiteReport):
        return render_suite(result, format, style)
    return _call(FORMATS[format].report, result, style or Style())


def render_suite(suite: SuiteReport, format: str, style: Style | None = None) -> str:
    """A suite as text that ends with a newline; the arguments are those of `render`."""
    return _call(FORMATS[format].suite, suite, style or Style())


def _call(place: str, result: Report | SuiteReport, style: Style) -> str:
    module, _, function = place.partition(":")
    text: str = getattr(import_module(f"{__name__}.{module}"), function)(result, style)
    return text
