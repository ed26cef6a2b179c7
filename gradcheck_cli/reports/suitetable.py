"""A suite for a terminal: one line a check, then what is wrong with each that failed the gate, then one line in all."""

from __future__ import annotations

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gradcheck_cli.records.choices import Severity, Status
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.reports.findings import finding_block
from gradcheck_cli.reports.glyphs import count_of, shown
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.table import page

_COLOR = {Status.HEALTHY: "green", Status.ILL: "red", Status.UNKNOWN: "yellow", Status.FAILED: "bold red"}


def render_suite(suite: SuiteReport, style: Style) -> str:
    """The suite as text for a terminal of `style.width` columns."""
    parts: list[RenderableType] = [] if style.quiet else [_overview(suite, style), Text()]
    for report in suite.checks:
        if report.exit_code:
            parts.extend(_details(report, style))
    return page([*parts, _last_line(suite)], style)


def _overview(suite: SuiteReport, style: Style) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    table.add_column(overflow="fold", ratio=1)
    for report in suite.checks:
        gate = "pass" if report.exit_code == 0 else "FAIL"
        name = Text(shown(report.name, style.unicode))
        table.add_row(Text(gate, style="green" if gate == "pass" else "bold red"), name, _summary(report))
    return table


def _summary(report: Report) -> Text:
    told = report.status.value
    worst = [f for f in report.findings if f.severity is not Severity.NOTE]
    if report.status is Status.FAILED:
        told = "could not be checked"
    elif worst:
        told = f"{worst[0].code} {worst[0].rule}"
    if report.exit_code == 0 and (worst or report.status is Status.FAILED):
        told += ", as expected" if any("as expected" in note for note in report.notes) else ", does not fail the gate"
    return Text(told, style=_COLOR[report.status] if report.exit_code else "")


def _details(report: Report, style: Style) -> list[Text | Table]:
    parts: list[Text | Table] = [Text(shown(report.name, style.unicode), style="bold")]
    if report.error:
        parts.extend(Text(f"  {shown(line, style.unicode)}") for line in report.error.splitlines())
    parts.extend(Text(f"  {shown(note, style.unicode)}") for note in report.notes if "expected" in note)
    for place, finding in enumerate(f for f in report.findings if f.severity is not Severity.NOTE):
        parts.append(finding_block(finding, style, first=place == 0))
    return [*parts, Text()]


def _last_line(suite: SuiteReport) -> Text:
    passed = sum(report.exit_code == 0 for report in suite.checks)
    unmade = sum(report.exit_code == 2 for report in suite.checks)
    ill = len(suite.checks) - passed - unmade
    words = [f"{count_of(len(suite.checks), 'check')}", f"{passed} passed"]
    words += [f"{ill} failed the gate"] if ill else []
    words += [f"{unmade} could not be made"] if unmade else []
    line = f"{' · '.join(words)} · exit {suite.exit_code}"
    return Text(line, style="bold red" if suite.exit_code else "bold green")
