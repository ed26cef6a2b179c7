"""A suite for a terminal: one line a check, then what is ill or failed, then what came of it all.

The gravest things come last because a terminal shows the end of what was printed.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.reports.findings import finding_block
from gradcheck_cli.reports.glyphs import clipped, shown
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.table import page, page_width
from gradcheck_cli.reports.verdicts import (
    CheckVerdict,
    counts_in_words,
    duration,
    seconds_of,
    serious,
    verdict,
    worst_in_words,
)

COLOR = {
    CheckVerdict.FAILED: "bold red",
    CheckVerdict.ILL: "bold red",
    CheckVerdict.UNMET: "bold red",
    CheckVerdict.ALLOWED: "dim",
    CheckVerdict.UNKNOWN: "yellow",
    CheckVerdict.OK: "green",
}
_SECONDS = 7
"""Columns of the times."""


def render_suite(suite: SuiteReport, style: Style) -> str:
    """The suite as text for a terminal of `style.width` columns (at least 20)."""
    return page(_parts(suite, style, page_width(style)), style)


def _parts(suite: SuiteReport, style: Style, width: int) -> Iterator[RenderableType]:
    failing = [report for report in suite.checks if report.exit_code]
    listed = failing if style.quiet else suite.checks
    if not style.quiet:
        yield _text(suite.name, style, "bold")
        yield ""
    if listed:
        yield Padding(_overview(tuple(listed), style, width - 2), (0, 0, 0, 2))
        yield ""
    for report in sorted(failing, key=lambda one: verdict(one) is CheckVerdict.FAILED):
        yield from _detail(report, style)
    if suite.notes and not style.quiet:
        yield from (_text(f"note  {note}", style, "dim") for note in suite.notes)
        yield ""
    if suite.error:
        yield _text(suite.error, style)
        yield ""
    facts = f"{counts_in_words(suite)} · {duration(suite.seconds)} · exit {suite.exit_code}"
    yield _text(facts, style, "bold red" if suite.exit_code else "bold green")


def _overview(checks: tuple[Report, ...], style: Style, width: int) -> Table:
    """Verdict, name, worst finding in what room is left, seconds."""
    verdicts = max(len("verdict"), *(len(verdict(one).value) for one in checks))
    timed = width >= 30
    longest = max(len("check"), *(Text(shown(one.name, style.unicode)).cell_len for one in checks))
    names = min(longest, max(width * 2 // 5, 8))
    room = width - verdicts - names - _SECONDS - 6
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("verdict", no_wrap=True)
    table.add_column("check", overflow="fold", width=names)
    if room >= 16:
        table.add_column("worst finding", no_wrap=True, width=room)
    if timed:
        table.add_column("seconds", no_wrap=True, justify="right")
    for report in checks:
        kind = verdict(report)
        words = [_text(clipped(worst_in_words(report), room, style.unicode), style)] * (room >= 16)
        took = [Text("" if (seconds := seconds_of(report)) is None else f"{seconds:.1f}")] * timed
        table.add_row(_text(kind.value, style, COLOR[kind]), _text(report.name, style), *words, *took)
    return table


def _detail(report: Report, style: Style) -> Iterator[RenderableType]:
    """A failing check in full: its findings, or the error with what it printed last."""
    yield Text.assemble(
        _text(verdict(report).value, style, COLOR[verdict(report)]), "  ", _text(report.name, style, "bold")
    )
    for finding in serious(report):
        yield Padding(finding_block(finding, style, first=False), (0, 0, 0, 2))
    lines = [*report.error.splitlines(), *(f"note  {note}" for note in report.notes)]
    yield from (Padding(_text(line, style), (0, 0, 0, 2)) for line in lines)
    yield ""


def _text(text: str, style: Style, look: str = "") -> Text:
    return Text(shown(text, style.unicode), style=look)
