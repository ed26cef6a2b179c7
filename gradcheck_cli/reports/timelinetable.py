"""A run for a terminal: its curves with the alarms marked, then each step that went wrong with its diagnosis.

The gravest things come last because a terminal shows the end of what was printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from gradcheck_cli.records.choices import Severity, Status
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.timeline import Alarm, Diagnosed, Outcome, Point, Timeline, Why
from gradcheck_cli.reports.curves import BAD, axis_of, curve, marks, numbered
from gradcheck_cli.reports.findings import finding_block, note_line
from gradcheck_cli.reports.glyphs import count_of, shown
from gradcheck_cli.reports.layertable import layer_table
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.table import STATUS_COLOR, opening, page, page_width
from gradcheck_cli.reports.verdicts import codes_in_words, duration, serious, severities_in_words, waived_in_words

_LABELS = {"loss": "loss", "grad_norm": "|grad|", "scale": "loss scale"}
_SAMPLED = {
    "update_ratio": "|dw|/|w|",
    "adam_rms": "Adam's RMS",
    "own_batch_descent": "descent",
    "distinguishability": "D",
    "dead": "dead",
    "saturated": "saturated",
    "output_rms": "output RMS",
}
"""Series of sampled steps: shown where all is asked for."""
_STANDS, _NOTE = ("▲", "^"), ("△", "'")
"""The marks of alarms that are findings, and of those that are notes."""
_LOG = " log"
_WHY = {Why.FIRST: "the first step", Why.AT: "--at", Why.STEPS: "--steps"}


def render_run(run: Timeline, style: Style) -> str:
    """The run as text for a terminal of `style.width` columns (at least 20)."""
    return page(_parts(run, style, page_width(style)), style)


def _parts(run: Timeline, style: Style, width: int) -> Iterator[RenderableType]:
    if not style.quiet:
        yield from _header(run, style, width)
        yield ""
        if run.series and run.steps:
            yield from _curves(run, style, width)
            yield ""
    alarms = [alarm for alarm in run.alarms if serious(alarm.report)]
    told: set[str] = set()
    for place, alarm in enumerate(alarms):
        yield from _alarm(alarm, run, style, width, told, first=place == 0)
        told |= {_key(finding) for finding in alarm.report.findings}
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
    line = _text("   ".join(_facts(run)), style)
    if name.cell_len + line.cell_len + 3 > width:
        return [name, line] if line else [name]
    return [Text.assemble(name, "   ", line)]


def _facts(run: Timeline) -> list[str]:
    ranks = [f"{run.ranks} processes"] if run.ranks > 1 else []
    total = run.seconds.get("total")
    took = [duration(total)] if total is not None else []
    cost = run.overhead
    watched = [f"watching took {cost.ms_per_step:.2g} ms a step, {cost.percent:.1f} %"] if cost else []
    return [count_of(run.steps, "step"), *took, *ranks, *watched]


def _curves(run: Timeline, style: Style, width: int) -> Iterator[RenderableType]:
    """One line a series with its first and last value, then the marks of the alarms and their steps."""
    shown_series = {name: points for name, points in run.series.items() if _worth_showing(name, points, style)}
    if not shown_series:
        return
    labels = {name: _label(name) for name in shown_series}
    ends = {name: (f"{points[0].mean:.3g}", f"{points[-1].mean:.3g}") for name, points in shown_series.items()}
    left = max(map(len, labels.values())) + 2
    first, last = (max(len(pair[side]) for pair in ends.values()) for side in (0, 1))
    axis = axis_of(run.steps, width - left - first - last - 6 - len(_LOG))
    for name, points in shown_series.items():
        drawn = curve(points, axis, style.unicode)
        start, end = ends[name]
        log = _LOG if drawn.log else ""
        yield Text.assemble(
            f"  {labels[name]:<{left}}{start:>{first}} ", _colored(drawn.line), f" {end:<{last}}", (log, "dim")
        )
    margin = " " * (left + first + 3)
    marked = [(alarm.step, alarm) for alarm in sorted(run.alarms, key=lambda each: not serious(each.report))]
    if marked:
        side = 0 if style.unicode else 1
        line = marks(((s, (_STANDS if serious(a.report) else _NOTE)[side]) for s, a in marked), axis)
        yield Text.assemble(margin, (line, "bold red"))
    yield Text(f"{margin}{numbered((*(step for step, _ in marked), 1, run.steps), axis)}", "dim")


def _worth_showing(name: str, points: Sequence[Point], style: Style) -> bool:
    """A loss scale that stays where it is says nothing; what is sampled is for those who ask for all."""
    if name.partition("/")[0] in _SAMPLED and not style.verbose:
        return False
    moves = len({(point.min, point.max) for point in points}) > 1
    return bool(points) and (moves or style.verbose or not name.startswith("scale"))


def _label(name: str) -> str:
    series, _, optimizer = name.partition("/")
    return {**_LABELS, **_SAMPLED}.get(series, series) + (f" of optimizer {optimizer}" if optimizer else "")


def _colored(line: str) -> Text:
    text = Text(line, "cyan")
    text.highlight_regex(f"[{BAD}x]", "bold red")
    return text


def _alarm(
    alarm: Alarm, run: Timeline, style: Style, width: int, told: set[str], *, first: bool
) -> Iterator[RenderableType]:
    """Where it happened, what was seen, and the diagnosis of its step as `check` shows it."""
    yield _text(" · ".join(_place(alarm, run)), style, "bold")
    findings = [finding for finding in serious(alarm.report) if _key(finding) not in told]
    explained = len(findings) > 1 and findings[0].rule == alarm.kind.value
    for place, finding in enumerate(findings):
        own = place == 0 and explained
        plain = replace(finding, source=None, remedies=() if own else finding.remedies) if own else finding
        yield Padding(finding_block(plain, style, first=first and place == int(explained)), (0, 0, 0, 2))
    if style.verbose and alarm.report.layers:
        yield Padding(layer_table(alarm.report, style, width - 4), (1, 0, 0, 4))
    yield ""


def _place(alarm: Alarm, run: Timeline) -> list[str]:
    parts = [f"step {alarm.step} of {run.steps}", alarm.kind.value]
    parts += [f"{alarm.source.file}:{alarm.source.line}"] if alarm.source else []
    parts += [f"rank {alarm.rank}"] if run.ranks > 1 else []
    parts += (
        [f"step {alarm.optimizer_step} of optimizer {alarm.optimizer}"] if alarm.optimizer_step != alarm.step else []
    )
    parts += [f"micro-batch {alarm.micro_batch}"] if alarm.micro_batch else []
    if alarm.samples:
        parts += [f"{'row' if len(alarm.samples) == 1 else 'rows'} {', '.join(map(str, alarm.samples))}"]
    return parts


def _diagnosis(
    diagnosed: Diagnosed, run: Timeline, style: Style, width: int, told: set[str]
) -> Iterator[RenderableType]:
    """A step that was asked for, as `check` shows it; of the first step what no alarm has told."""
    report = diagnosed.report
    findings = [finding for finding in serious(report) if _key(finding) not in told]
    asked = diagnosed.why is not Why.FIRST
    if not findings and not asked and not style.verbose:
        return
    yield _text(f"step {diagnosed.step} of {run.steps} · {_WHY[diagnosed.why]}", style, "bold")
    if not style.quiet and (asked or style.verbose):
        yield from opening(report, style, width)
    for place, finding in enumerate(findings):
        yield Padding(finding_block(finding, style, first=place == 0 and not told), (0, 0, 0, 2))
    yield ""


def _key(finding: Finding) -> str:
    return f"{finding.code} {finding.message} {finding.layers}"


def _notes(run: Timeline, style: Style) -> list[Text]:
    """Alarms that came to nothing, the notes of the diagnoses, and those of the run, each once."""
    lines = [_passed(alarm, style) for alarm in run.alarms if not serious(alarm.report)]
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
        versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
        lines += [_text(f"{label}  {text}", style, "dim") for label, text in (("took", took), ("with", versions))]
    return list({line.plain: line for line in lines}.values())


def _passed(alarm: Alarm, style: Style) -> Text:
    """An alarm that is no finding, in one line."""
    became = {Outcome.RECOVERED: "recovered", Outcome.OPEN: "open"}.get(alarm.verdict, "not shown")
    finding = next((f for f in alarm.report.findings if f.rule == alarm.kind.value), None)
    why = f"; {finding.why}" if finding and finding.why else ""
    return _text(f"note  step {alarm.step} · {alarm.kind.value} · {became}: {alarm.message}{why}", style, "dim")


def _final(run: Timeline, style: Style) -> Text:
    hidden = sum(report.hidden for report in run.reports)
    unseen = [f"{count_of(hidden, 'finding')} not shown (--select, --ignore)"] if hidden else []
    script = [f"the script ended with {run.script_exit}"] if run.script_exit else []
    parts = [*_verdict(run), *unseen, *script, f"exit {run.exit_code}"]
    color = "bold red" if run.script_exit else STATUS_COLOR[run.status]
    return _text(" · ".join(parts), style, color)


def _verdict(run: Timeline) -> list[str]:
    if run.status is Status.FAILED:
        return ["could not be watched"]
    if run.status is Status.UNKNOWN:
        return ["unknown: the watcher stepped aside" if run.steps else "unknown: no step was seen"]
    steps = count_of(run.steps, "step")
    if run.status is Status.HEALTHY:
        passed = [f"{count_of(len(run.alarms), 'alarm')}, none confirmed"] if run.alarms else []
        return ["healthy", steps, *passed]
    found = {_key(f): f for report in run.reports for f in serious(report)}
    findings = list(found.values())
    return [*severities_in_words(findings), *codes_in_words(findings)]


def _text(text: str, style: Style, look: str = "") -> Text:
    return Text(shown(text, style.unicode), style=look)
