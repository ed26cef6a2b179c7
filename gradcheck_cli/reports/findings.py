"""One block a finding: what is ill, where, why, and what to do about it."""

from __future__ import annotations

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.report import Finding, Remedy, Report, Trial
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.waiving import waiver_of
from gradcheck_cli.reports.charts import trial_bars
from gradcheck_cli.reports.glyphs import bar, shown
from gradcheck_cli.reports.plain import opinion_in_words, share_in_words, trial_in_words
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.verdicts import severity_in_words

REMEDIES = 3
"""Remedies shown for the first finding."""
LATER_REMEDIES = 1
"""Remedies shown for each further one; the rest is a `--verbose` away."""
_BAR = 8
_COLOR = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "dim"}
_OUTCOME_COLOR = {"fixed": "green", "helps": "green", "worse": "red"}


def finding_block(finding: Finding, report: Report, style: Style, room: int, *, first: bool) -> Table:
    """The message, then where, why, what to try, and last how to waive it if that fits into `room` columns."""
    block = Table.grid(padding=(0, 0), expand=True)
    block.add_column(overflow="fold")
    block.add_row(_headline(finding, style))
    details = Table.grid(padding=(0, 2, 0, 0))
    details.add_column(no_wrap=True, style="dim")
    details.add_column(overflow="fold")
    if finding.source:
        details.add_row("at", _place(finding.source, style))
    if finding.why:
        details.add_row("why", _text(finding.why, style))
    for label, told in opinion_in_words(finding):
        details.add_row(label, _text(told, style))
    if style.verbose or finding.cause == "unknown":
        for place, share in enumerate(finding.shares):
            details.add_row("where" if not place else "", _text(share_in_words(share), style))
    if style.verbose and finding.evidence:
        details.add_row("data", _text(_evidence(finding), style))
    _add_remedies(details, finding.remedies, style, REMEDIES if first else LATER_REMEDIES)
    if details.row_count:
        block.add_row(Padding(details, (0, 0, 0, 2)))
    waiver = _waiver(finding, report, style)
    if style.verbose or waiver.cell_len <= room - 2:
        block.add_row(Padding(waiver, (0, 0, 0, 2)))
    return block


def note_line(finding: Finding, style: Style) -> Text:
    """A note in one dim line, with what became of it where it is a suspicion: it never fails a check."""
    place = f"  {finding.source.file}:{finding.source.line}" if finding.source else ""
    why = f" — {finding.why}" if style.verbose and finding.why else ""
    told = "".join(f" — {label}: {words}" for label, words in opinion_in_words(finding))
    return _text(f"note  {finding.code} {finding.message}{why}{told}{place}", style, "dim")


def _headline(finding: Finding, style: Style) -> Text:
    label = f"{finding.code} {severity_in_words(finding)}"
    return Text.assemble(
        _text(label, style, _COLOR[Severity.NOTE if finding.known else finding.severity]),
        "  ",
        _text(finding.message, style, "bold"),
    )


def _waiver(finding: Finding, report: Report, style: Style) -> Text:
    line = waiver_of(finding, report)
    exact = line if style.unicode else line.encode("ascii", "backslashreplace").decode("ascii")  # YAML reads these, too
    return _text(f"to waive  {exact}", style, "dim")


def _place(source: SourceLine, style: Style) -> Text:
    place = _text(f"{source.file}:{source.line}", style, "cyan")
    if not source.code.strip():
        return place
    return Text.assemble(place, "  ", _text(source.code.strip(), style))


def _evidence(finding: Finding) -> str:
    pairs = finding.evidence.items()
    return ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in pairs)


def _add_remedies(details: Table, remedies: tuple[Remedy, ...], style: Style, limit: int) -> None:
    shown_remedies = remedies if style.verbose else remedies[:limit]
    for place, remedy in enumerate(shown_remedies, start=1):
        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_column(no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row(f"{place}.", _remedy(remedy, style))
        details.add_row("try" if place == 1 else "", row)
    if left := len(remedies) - len(shown_remedies):
        details.add_row("", _text(f"{left} more with --verbose", style, "dim"))


def _remedy(remedy: Remedy, style: Style) -> Text:
    text = Text.assemble(_text(remedy.title, style, "bold"))
    if remedy.detail:
        text.append_text(_text(f" — {remedy.detail}", style))
    if tried := trial_in_words(remedy):
        words = f"tried  {_bars(remedy.trial, style)}{tried}"
        text.append("\n").append_text(_text(words, style, _OUTCOME_COLOR.get(remedy.trial.outcome, "dim")))
    elif style.verbose and remedy.trial.note:
        text.append("\n").append_text(_text(f"not tried: {remedy.trial.note}", style, "dim"))
    for line in remedy.code.splitlines():
        text.append("\n").append_text(_text(line, style, "cyan"))
    if style.verbose:
        for label, words in (("not", remedy.unless), ("source", remedy.source)):
            text.append("\n").append_text(_text(f"{label}: {words}", style, "dim")) if words else None
    return text


def _bars(trial: Trial, style: Style) -> str:
    """Before and after side by side, with room for the longer: `████████ → ▎`."""
    bars = [bar(length, 100.0, _BAR, style.unicode) for _, _, length in trial_bars(trial)]
    return f"{bars[0]} → {bars[1]}  " if bars else ""


def _text(text: str, style: Style, look: str = "") -> Text:
    return Text(shown(text, style.unicode), style=look)
