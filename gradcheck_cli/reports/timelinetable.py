"""A run for a terminal: its curves with the alarms marked, then each step that went wrong with its diagnosis.

The gravest things come last because a terminal shows the end of what was printed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.timeline import Alarm, Diagnosed, Point, Timeline, Why
from gradcheck_cli.reports.curves import BAD, axis_of, curve, marks, numbered
from gradcheck_cli.reports.findings import finding_block, note_line
from gradcheck_cli.reports.glyphs import shown
from gradcheck_cli.reports.layertable import layer_table
from gradcheck_cli.reports.runreport import unrepeated
from gradcheck_cli.reports.runwords import (
    alarm_place,
    diagnosis_place,
    is_explained,
    passed,
    run_facts,
    run_verdict,
    script_end,
    series_label,
    uses_in_words,
    worth_showing,
)
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.table import STATUS_COLOR, opening, page, page_width
from gradcheck_cli.reports.verdicts import finding_key, serious, waived_in_words
from gradcheck_cli.words import count_of

_STANDS, _NOTE = ("▲", "^"), ("△", "'")
"""The marks of alarms that are findings, and of those that are notes."""
_LOG = " log scale"
_BESIDE = 0.1
"""Share by which a peak has to be above both ends of a curve to be told."""


def render_run(run: Timeline, style: Style) -> str:
    """The run as text for a terminal of `style.width` columns (at least 20)."""
    return page(_parts(run, style, page_width(style)), style)


def _parts(run: Timeline, style: Style, width: int) -> Iterator[RenderableType]:
    if not style.quiet:
        yield from _header(run, style, width)
        yield from (_text(words, style, "dim") for words in uses_in_words(run))
        yield ""
        if run.series and run.steps:
            yield from curve_lines(run, style, width)
            yield ""
    alarms = [alarm for alarm in run.alarms if serious(alarm.report)]
    told: set[str] = set()
    for place, alarm in enumerate(alarms):
        yield from _alarm(alarm, run, style, width, told, first=place == 0)
        told |= {finding_key(finding) for finding in alarm.report.findings}
    for diagnosed in run.diagnoses:
        yield from _diagnosis(diagnosed, run, style, width, told)
    if run.error:
        yield from (_text(line, style) for line in run.error.splitlines())
        yield ""
    if not style.quiet and (notes := _notes(run, style)):
        yield from notes
        yield ""
    yield _final(run, style)


def _header(run: Timeline, style: Style, width: int) -> list[Text]:
    name = _text(" ".join(run.command), style, "bold")
    line = _text("   ".join(run_facts(run)), style)
    if name.cell_len + line.cell_len + 3 > width:
        return [name, line] if line else [name]
    return [Text.assemble(name, "   ", line)]


def curve_lines(run: Timeline, style: Style, width: int) -> Iterator[Text]:
    """One line a series with its first and last value, then the marks of the alarms and their steps."""
    shown_series = {n: points for n, points in run.series.items() if worth_showing(n, points, style)}
    if not shown_series:
        return
    labels = {name: series_label(name) for name in shown_series}
    ends = {name: (f"{points[0].mean:.3g}", f"{points[-1].mean:.3g}") for name, points in shown_series.items()}
    peaks = {name: _peak(points) for name, points in shown_series.items()}
    left = max(map(len, labels.values())) + 2
    first, last = (max(len(pair[side]) for pair in ends.values()) for side in (0, 1))
    room = width - left - first - last - 6 - max(map(len, peaks.values()))
    for axis in (axis_of(run.steps, room), axis_of(run.steps, room - len(_LOG))):
        drawn = {name: curve(points, axis, style.unicode) for name, points in shown_series.items()}
        if not any(each.log for each in drawn.values()):
            break
    for name, each in drawn.items():
        start, end = ends[name]
        log = _LOG if each.log else ""
        yield Text.assemble(
            f"  {labels[name]:<{left}}{start:>{first}} ",
            _colored(each.line),
            f" {end:<{last}}",
            (log + peaks[name], "dim"),
        )
    margin = " " * (left + first + 3)
    marked = [(alarm.step, alarm) for alarm in sorted(run.alarms, key=lambda each: not serious(each.report))]
    if marked:
        side = 0 if style.unicode else 1
        line = marks(((s, (_STANDS if serious(a.report) else _NOTE)[side]) for s, a in marked), axis)
        yield Text.assemble(margin, (line, "bold red"))
    yield Text(f"{margin}{numbered((*(step for step, _ in marked), 1, run.steps), axis)}", "dim")


def _peak(points: Sequence[Point]) -> str:
    """The greatest value where it is above both ends: it is not to be read off a curve."""
    highest = max((point.max for point in points if math.isfinite(point.max)), default=-math.inf)
    ends = max((p.max for p in (points[0], points[-1]) if math.isfinite(p.max)), default=-math.inf)
    return f" max {highest:.3g}" if highest > ends + _BESIDE * abs(ends) else ""


def _colored(line: str) -> Text:
    text = Text(line, "cyan")
    text.highlight_regex(f"[{BAD}x]", "bold red")
    return text


def _alarm(
    alarm: Alarm, run: Timeline, style: Style, width: int, told: set[str], *, first: bool
) -> Iterator[RenderableType]:
    """Where it happened, what was seen, and the diagnosis of its step as `check` shows it."""
    yield _text(" · ".join(alarm_place(alarm, run)), style, "bold")
    explained = is_explained(alarm)
    findings = [finding for finding in serious(unrepeated(alarm)) if finding_key(finding) not in told]
    for place, finding in enumerate(findings):
        block = finding_block(finding, alarm.report, style, width - 2, first=first and place == int(explained))
        yield Padding(block, (0, 0, 0, 2))
    if style.verbose and alarm.report.layers:
        yield Padding(layer_table(alarm.report, style, width - 4), (1, 0, 0, 4))
    yield ""


def _diagnosis(
    diagnosed: Diagnosed, run: Timeline, style: Style, width: int, told: set[str]
) -> Iterator[RenderableType]:
    """A step that was asked for, as `check` shows it; of the first step what no alarm has told."""
    report = diagnosed.report
    findings = [finding for finding in serious(report) if finding_key(finding) not in told]
    asked = diagnosed.why is not Why.FIRST
    if not findings and not asked and not style.verbose:
        return
    yield _text(" · ".join(diagnosis_place(diagnosed, run)), style, "bold")
    opened = not style.quiet and (asked or style.verbose)
    if opened:
        yield from opening(report, style, width)  # which ends in an empty line
    for place, finding in enumerate(findings):
        block = finding_block(finding, report, style, width - 2, first=place == 0 and not told)
        yield Padding(block, (0, 0, 0, 2))
    if findings or not opened:
        yield ""


def _notes(run: Timeline, style: Style) -> list[Text]:
    """Alarms that came to nothing, the notes of the diagnoses, and those of the run, each once."""
    lines = [_text(f"note  {passed(a)}", style, "dim") for a in run.alarms if not serious(a.report)]
    reports = run.reports if style.verbose else tuple(each.report for each in run.diagnoses)
    own = {alarm.kind.value for alarm in run.alarms}
    for report in reports:
        notes = [f for f in report.findings if f.severity is Severity.NOTE and f.rule not in own]
        lines += [note_line(finding, style) for finding in notes]
        lines += [_text(f"note  {line}", style, "dim") for line in report.notes]
        lines += [_text(waived_in_words(waived), style, "dim") for waived in report.waived if style.verbose]
    lines += [_text(f"note  {line}", style, "dim") for line in run.notes]
    if style.verbose:
        took = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in run.seconds.items())
        took += f", {run.trial_passes} passes to make updates again" if run.trial_passes else ""
        versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
        lines += [_text(f"{label}  {text}", style, "dim") for label, text in (("took", took), ("with", versions))]
    return list({line.plain: line for line in lines}.values())


def _final(run: Timeline, style: Style) -> Text:
    hidden = sum(report.hidden for report in run.reports)
    unseen = [f"{count_of(hidden, 'finding')} not shown (--select, --ignore)"] if hidden else []
    parts = [*run_verdict(run), *unseen, *script_end(run), f"exit {run.exit_code}"]
    color = "bold red" if run.script_exit else STATUS_COLOR[run.status]
    return _text(" · ".join(parts), style, color)


def _text(text: str, style: Style, look: str = "") -> Text:
    return Text(shown(text, style.unicode), style=look)
