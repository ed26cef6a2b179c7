"""What came of a check, a suite, a run or two reports compared -> text; `FORMATS` also feeds the command line."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from gradcheck_cli.reports.commands import COMMANDS, DOTS, JSON, MARKUP, Escapes, harmless
from gradcheck_cli.reports.style import Style

if TYPE_CHECKING:
    from gradcheck_cli.records.report import Report
    from gradcheck_cli.records.suite import SuiteReport
    from gradcheck_cli.records.timeline import Timeline
    from gradcheck_cli.reports.comparison import ReportComparison

    Result: TypeAlias = Report | SuiteReport | Timeline | ReportComparison

__all__ = ["COMPARING", "FORMATS", "Format", "Style", "load", "render"]


@dataclass(frozen=True)
class Format:
    """Where a format's functions of (what to show, style) live, as `module:function` of this package.

    A format loads what it draws with when it is drawn: a usage error needs its name only. `escapes` are written where
    a name of the user's would make a command to a CI runner.
    """

    report: str
    suite: str
    run: str
    comparison: str = ""
    escapes: Escapes = DOTS


FORMATS: dict[str, Format] = {
    "table": Format(
        report="table:render_table",
        suite="suitetable:render_suite",
        run="timelinetable:render_run",
        comparison="comparisontable:render_comparison",
    ),
    "json": Format(
        report="jsonfile:render_report",
        suite="jsonfile:render_suite",
        run="jsonfile:render_run",
        comparison="jsonfile:render_comparison",
        escapes=JSON,
    ),
    "markdown": Format(
        report="markdown:render_report",
        suite="markdown:render_suite",
        run="markdown:render_run",
        comparison="markdown:render_comparison",
    ),
    "html": Format(
        report="html:render_report",
        suite="html:render_suite",
        run="html:render_run",
        escapes=MARKUP,
    ),
    "github": Format(
        report="github:render_report",
        suite="github:render_suite",
        run="github:render_run",
        escapes=COMMANDS,
    ),
    "junit": Format(
        report="junit:render_report",
        suite="junit:render_suite",
        run="junit:render_run",
        escapes=MARKUP,
    ),
    "sarif": Format(
        report="sarif:render_report",
        suite="sarif:render_suite",
        run="sarif:render_run",
        escapes=JSON,
    ),
}


COMPARING = tuple(name for name, format in FORMATS.items() if format.comparison)
"""The formats that can show two reports or suites compared."""


def load(format: str) -> None:
    """Load what draws a report in this format, while there is time for it."""
    import_module(f"{__name__}.{FORMATS[format].report.partition(':')[0]}")


def render(result: Result, format: str, style: Style | None = None) -> str:
    """A report, a suite, a run or a comparison as text that ends with a newline.

    Args:
        result: What to show.
        format: A key of `FORMATS`; one of `COMPARING` for a comparison.
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
    return harmless(text, known.escapes)
