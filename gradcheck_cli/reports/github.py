"""Workflow commands: GitHub shows each as an annotation at the user's source line.

The escapes are those of actions/toolkit (packages/core/src/command.ts): `%`, CR and LF everywhere, and in a
property `:` and `,` as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.report import Finding, Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.records.timeline import Timeline
from gradcheck_cli.reports.glyphs import shown
from gradcheck_cli.reports.plain import below_here, finding_lines, level, suite_of_one
from gradcheck_cli.reports.runreport import run_report
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.verdicts import CheckVerdict, counts_in_words, duration, serious, verdict, worst_in_words

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _DATA | str.maketrans({":": "%3A", ",": "%2C"})
_COMMAND = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render_report(report: Report, style: Style) -> str:
    """One line a finding, then the summary; `style` changes nothing."""
    return render_suite(suite_of_one(report), style)


def render_run(run: Timeline, style: Style) -> str:
    """One line a finding with its step, then the summary; `style` changes nothing."""
    return render_report(run_report(run), style)


def render_suite(suite: SuiteReport, style: Style) -> str:
    """One line a finding, a failure or an unmet expectation, then the summary; `style` changes nothing."""
    lines = [line for report in suite.checks for line in _commands(report)]
    lines += [_command("notice", shown(note), title="gradcheck") for note in suite.notes]
    summary = f"gradcheck: {counts_in_words(suite)} · {duration(suite.seconds)} · exit {suite.exit_code}"
    return "".join(f"{line}\n" for line in (*lines, summary))


def _commands(report: Report) -> Iterator[str]:
    for finding in serious(report):
        yield _annotation(report, finding)
    if verdict(report) in (CheckVerdict.FAILED, CheckVerdict.UNMET):
        words = "\n".join(shown(line) for line in (report.error or worst_in_words(report)).splitlines())
        yield _command("error", words, title=f"{verdict(report).value}: {shown(report.name)}")


def _annotation(report: Report, finding: Finding) -> str:
    source = finding.source
    file = below_here(source.file) if source else None
    place = {"file": shown(file), "line": str(source.line)} if source and file else {}
    title = f"{finding.code} {finding.rule}{' (known)' * bool(finding.known)}: {report.name}"
    message = "\n".join([shown(finding.message), *finding_lines(finding)])
    return _command(_COMMAND[level(report, finding)], message, **place, title=shown(title))


def _command(name: str, message: str, **properties: str) -> str:
    listed = ",".join(f"{key}={value.translate(_PROPERTY)}" for key, value in properties.items())
    return f"::{name} {listed}::{message.translate(_DATA)}"
