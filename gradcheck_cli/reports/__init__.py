"""What came of a check, a suite, a run or two reports compared -> text; `FORMATS` also feeds the command line."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from gradcheck_cli.reports.style import Style

if TYPE_CHECKING:
    from gradcheck_cli.records.report import Report
    from gradcheck_cli.records.suite import SuiteReport
    from gradcheck_cli.records.timeline import Timeline
    from gradcheck_cli.reports.comparison import Comparison

    Result: TypeAlias = Report | SuiteReport | Timeline | Comparison

__all__ = ["COMPARING", "FORMATS", "WATCHING", "Format", "Style", "load", "render"]


@dataclass(frozen=True)
class Format:
    """Where a format's functions of (what to show, style) live, as `module:function` of this package.

    A format loads what it draws with when it is drawn: a usage error needs its name only.
    """

    report: str
    suite: str
    comparison: str = ""
    run: str = ""


FORMATS: dict[str, Format] = {
    "table": Format(
        "table:render_table", "suitetable:render_suite", "comparisontable:render_comparison", "timelinetable:render_run"
    ),
    "json": Format(
        "jsonfile:render_report", "jsonfile:render_suite", "jsonfile:render_comparison", "jsonfile:render_run"
    ),
    "markdown": Format("markdown:render_report", "markdown:render_suite", "markdown:render_comparison"),
    "html": Format("html:render_report", "html:render_suite"),
    "github": Format("github:render_report", "github:render_suite"),
    "junit": Format("junit:render_report", "junit:render_suite"),
    "sarif": Format("sarif:render_report", "sarif:render_suite"),
}


COMPARING = tuple(name for name, format in FORMATS.items() if format.comparison)
"""The formats that can show two reports or suites compared."""
WATCHING = tuple(name for name, format in FORMATS.items() if format.run)
"""The formats that can show a run of a script."""


def load(format: str) -> None:
    """Load what draws a report in this format, while there is time for it."""
    import_module(f"{__name__}.{FORMATS[format].report.partition(':')[0]}")


def render(result: Result, format: str, style: Style | None = None) -> str:
    """A report, a suite, a run or a comparison as text that ends with a newline.

    Args:
        result: What to show.
        format: A key of `FORMATS`; one of `COMPARING` for a comparison, one of `WATCHING` for a run.
        style: How it should look; `Style()` if None.
    """
    from gradcheck_cli.records.report import Report
    from gradcheck_cli.records.suite import SuiteReport
    from gradcheck_cli.records.timeline import Timeline

    known = FORMATS[format]
    places = ((Report, known.report), (SuiteReport, known.suite), (Timeline, known.run))
    place = next((place for kind, place in places if isinstance(result, kind)), known.comparison)
    module, _, function = place.partition(":")
    text: str = getattr(import_module(f"{__name__}.{module}"), function)(result, style or Style())
    return text
