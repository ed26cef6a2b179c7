"""What came of a check, a suite or two runs compared -> text; `FORMATS` also feeds the command line's choices."""

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

    Result: TypeAlias = Report | SuiteReport | Comparison | Timeline

__all__ = ["COMPARING", "FORMATS", "Format", "Style", "load", "render"]


@dataclass(frozen=True)
class Format:
    """Where a format's functions of (what to show, style) live, as `module:function` of this package.

    A format loads what it draws with when it is drawn: a usage error needs its name only.
    """

    report: str
    suite: str
    comparison: str = ""


FORMATS: dict[str, Format] = {
    "table": Format("table:render_table", "suitetable:render_suite", "comparisontable:render_comparison"),
    "json": Format("jsonfile:render_report", "jsonfile:render_suite", "jsonfile:render_comparison"),
    "markdown": Format("markdown:render_report", "markdown:render_suite", "markdown:render_comparison"),
    "html": Format("html:render_report", "html:render_suite"),
    "github": Format("github:render_report", "github:render_suite"),
    "junit": Format("junit:render_report", "junit:render_suite"),
    "sarif": Format("sarif:render_report", "sarif:render_suite"),
}


COMPARING = tuple(name for name, format in FORMATS.items() if format.comparison)
"""The formats that can show two runs compared."""


WATCHING = ("table", "json")  # STUB, to be replaced


def load(format: str) -> None:
    """Load what draws a report in this format, while there is time for it."""
    import_module(f"{__name__}.{FORMATS[format].report.partition(':')[0]}")


def render(result: Result, format: str, style: Style | None = None) -> str:
    """A report, a suite or a comparison as text that ends with a newline.

    Args:
        result: What to show.
        format: A key of `FORMATS`; one of `COMPARING` for a comparison.
        style: How it should look; `Style()` if None.
    """
    from gradcheck_cli.records.report import Report
    from gradcheck_cli.records.suite import SuiteReport
    from gradcheck_cli.records.timeline import Timeline

    if isinstance(result, Timeline):  # STUB, to be replaced
        import json

        from gradcheck_cli.records.codec import encode

        return json.dumps({"schema": "gradcheck-run/1", **encode(result)}) + "\n"
    known = FORMATS[format]
    place = known.comparison
    if isinstance(result, Report | SuiteReport):
        place = known.report if isinstance(result, Report) else known.suite
    module, _, function = place.partition(":")
    text: str = getattr(import_module(f"{__name__}.{module}"), function)(result, style or Style())
    return text
