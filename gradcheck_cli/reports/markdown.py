"""GitHub-flavoured Markdown, made for a step summary or a comment: the verdict first, details folded.

Users' words are text: whatever Markdown, HTML or GitHub reads into punctuation is written as an escape.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from gradcheck_cli.records.report import Finding, Layer, Remedy, Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.records.timeline import Timeline
from gradcheck_cli.reports.comparison import (
    CheckComparison,
    ReportComparison,
    change_in_words,
    course_in_words,
    farthest,
    moved_in_words,
    summary,
    verdict_change,
)
from gradcheck_cli.reports.folding import Fold, rows
from gradcheck_cli.reports.glyphs import figure, shown
from gradcheck_cli.reports.plain import level, opinion_in_words, share_in_words, suspicions_in_words, trial_in_words
from gradcheck_cli.reports.runreport import told_once
from gradcheck_cli.reports.runwords import passed, run_facts, run_verdict, script_end, uses_in_words
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.timelinetable import curve_lines
from gradcheck_cli.reports.verdicts import (
    CheckVerdict,
    counts_in_words,
    duration,
    outcome,
    seconds_of,
    serious,
    verdict,
    waived_in_words,
    worst_in_words,
)
from gradcheck_cli.words import count_of

_ESCAPES = str.maketrans({c: f"&#{ord(c)};" for c in "&<>|\\`"} | {c: f"\\{c}" for c in "*_[]~"})
_CURVES = 80
"""Columns of the curves of a run."""
_MARK = {
    CheckVerdict.FAILED: "❌",
    CheckVerdict.ILL: "❌",
    CheckVerdict.UNMET: "❌",
    CheckVerdict.ALLOWED: "➖",
    CheckVerdict.UNKNOWN: "❔",
    CheckVerdict.OK: "✅",
}


def render_report(report: Report, style: Style) -> str:
    """One check: the verdict, the findings, the layers folded."""
    return "\n".join([f"## {_title(report)}", "", *_body(report, style), ""])


def render_suite(suite: SuiteReport, style: Style) -> str:
    """A table with one row a check, then the failing checks in full."""
    outcome = f"{counts_in_words(suite)} · {duration(suite.seconds)} · exit {suite.exit_code}"
    lines = [f"## {'❌' if suite.exit_code else '✅'} {code(suite.name)}", "", outcome, ""]
    if suite.checks:
        cells = [(_verdict(one), code(one.name), text(worst_in_words(one)), _seconds(one)) for one in suite.checks]
        lines += [*table(("verdict", "check", "worst finding", "seconds"), cells), ""]
    lines += [*fence(suite.error.splitlines()), ""] if suite.error else []
    lines += [*(f"- note: {text(note)}" for note in suite.notes), ""] if suite.notes else []
    for report in suite.checks:
        if report.exit_code:
            lines += [f"### {_title(report)}", "", *_body(report, style), ""]
    return "\n".join(lines)


def render_comparison(comparison: ReportComparison, style: Style) -> str:
    """What changed in each check, and the layers whose gradient moved."""
    title = f"## {code(comparison.before)} → {code(comparison.after)}"
    lines = [title, "", summary(comparison), ""]
    for check in comparison.checks:
        if style.verbose or check.changed:
            lines += [f"### {code(check.name)} {verdict_change(check)}", "", *_changes(check, style)]
    return "\n".join(lines)


def _changes(check: CheckComparison, style: Style) -> Iterator[str]:
    labelled = (("new", check.new), ("fixed", check.fixed), ("still", check.still))
    lines = [f"- **{label}** {text(change_in_words(one))}" for label, changes in labelled for one in changes]
    lines += [f"- {text(course_in_words(course))}" for course in check.courses]
    yield from [*lines, ""] if lines else []
    if moves := check.moves if style.verbose else farthest(check):
        cells = [(code(m.layer), figure(m.before, ".1f"), figure(m.after, ".1f"), moved_in_words(m)) for m in moves]
        yield from [*table(("layer", "before", "after", "moved"), cells), ""]


def render_run(run: Timeline, style: Style) -> str:
    """The run: the verdict, its curves, then each step that went wrong with its diagnosis."""
    mark = "❌" if run.exit_code else "✅"
    end = " · ".join([*run_verdict(run), *script_end(run), *run_facts(run), f"exit {run.exit_code}"])
    lines = [f"## {mark} {code(' '.join(run.command))}", "", text(end), ""]
    lines += [line for words in uses_in_words(run) for line in (text(words), "")]
    lines += [*fence(run.error.splitlines()), ""] if run.error else []
    if run.series and run.steps and not style.quiet:
        lines += [*fence([line.plain for line in curve_lines(run, style, _CURVES)]), ""]
    lines += [line for heading, report in told_once(run) for line in _step(heading, report, style)]
    notes = [*(passed(a) for a in run.alarms if not serious(a.report)), *run.notes]
    lines += [*(f"- note: {text(note)}" for note in dict.fromkeys(notes)), ""] if notes else []
    return "\n".join(lines)


def _step(heading: Sequence[str], report: Report, style: Style) -> Iterator[str]:
    yield f"### {text(' · '.join(heading))}"
    yield ""
    yield from _body(report, style)
    yield ""


def text(words: str) -> str:
    """`words` as they are, with nothing left for Markdown or HTML to read, unless a line starts with them."""
    return shown(words).translate(_ESCAPES).replace("://", "&#58;//").replace("www.", "www&#46;")


def code(words: str) -> str:
    """`words` in a fixed pitch; a code span in backticks could be left from within."""
    return f"<code>{text(words)}</code>" if words else ""


def fence(lines: Sequence[str], language: str = "") -> list[str]:
    """A block of code behind a fence that is longer than any in it."""
    safe = [shown(line) for line in lines]
    mark = "`" * max(3, *(line.count("`") + 1 for line in safe))
    return [f"{mark}{language}", *safe, mark]


def table(header: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    """A table; what is in the cells has been escaped."""
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *cells)]


def _title(report: Report) -> str:
    return f"{_verdict(report)} {code(report.name)}"


def _verdict(report: Report) -> str:
    kind = verdict(report)
    return f"{_MARK[kind]} {kind.value}"


def _seconds(report: Report) -> str:
    return "" if (seconds := seconds_of(report)) is None else f"{seconds:.1f}"


def _body(report: Report, style: Style) -> Iterator[str]:
    yield text(" · ".join(outcome(report)))
    for finding in serious(report):
        yield ""
        yield from _finding(report, finding)
    if report.error:
        yield ""
        yield from fence(report.error.splitlines())
    if notes := [*suspicions_in_words(report), *report.notes, *map(waived_in_words, report.waived)]:
        yield ""
        yield from (f"- note: {text(note)}" for note in notes)
    if report.layers and not style.quiet:
        yield ""
        yield from _layers(report, style)


def _finding(report: Report, finding: Finding) -> Iterator[str]:
    known = " (known)" * bool(finding.known)
    yield f"**{text(finding.code)} {level(report, finding).value}{known}** {text(finding.message)}"
    if finding.source:
        yield ""
        yield f"at {code(f'{finding.source.file}:{finding.source.line}')} {code(finding.source.code.strip())}".rstrip()
    if finding.why:
        yield ""
        yield f"why: {text(finding.why)}"
    for label, told in opinion_in_words(finding):
        yield ""
        yield f"{label}: {text(told)}"
    if finding.shares:
        yield ""
        yield from (f"- {text(share_in_words(share))}" for share in finding.shares)
    if finding.remedies:
        yield ""
    for place, remedy in enumerate(finding.remedies, start=1):
        yield from _remedy(place, remedy)


def _remedy(place: int, remedy: Remedy) -> Iterator[str]:
    tried = f" *tried: {text(words)}*" if (words := trial_in_words(remedy)) else ""
    unless = f" Not {text(remedy.unless)}." if remedy.unless else ""
    yield f"{place}. **{text(remedy.title)}** {text(remedy.detail)}{unless}{tried}"
    if remedy.code:
        # The indent of the item's text keeps the block in the list.
        yield from (f"{' ' * len(f'{place}. ')}{line}" for line in fence(remedy.code.splitlines(), "python"))


def _layers(report: Report, style: Style) -> Iterator[str]:
    header = ("layer", "gradient norm", "gradient / weight", "decades from loss", "verdict")
    cells = [_row(row) for row in rows(report.layers, report.findings, style.verbose)]
    yield f"<details><summary>{count_of(len(report.layers), 'layer')}, from the loss down</summary>"
    yield ""
    yield from table(header, cells)
    yield ""
    yield "</details>"


def _row(row: Layer | Fold) -> tuple[str, ...]:
    if isinstance(row, Fold):
        kinds = ", ".join(f"{count} {text(status)}" for status, count in row.statuses)
        span = "" if row.lowest is None or row.highest is None else f"{row.lowest:.1f} .. {row.highest:.1f}"
        return (f"… {count_of(row.count, 'layer')} …", "", "", span, kinds)
    bad = row.nan_count or row.inf_count or (row.decades is not None and not math.isfinite(row.decades))
    norm = ("nan" if row.nan_count else "inf") if bad else figure(row.grad_norm)
    decades = figure(row.decades, ".1f")
    return (code(row.path or row.kind), norm, figure(row.relative_gradient), decades, text(row.status))
