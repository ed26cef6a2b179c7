"""A run as one report: for formats that tell a check by its findings and know nothing of steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.report import Finding, Remedy, Report
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import Alarm, AlarmKind, Timeline, Why
from gradcheck_cli.records.verdict import gravest_first
from gradcheck_cli.reports.runwords import (
    alarm_line,
    alarm_place,
    diagnosis_place,
    is_explained,
    run_verdict,
    script_end,
)
from gradcheck_cli.reports.verdicts import finding_key, serious
from gradcheck_cli.words import count_of


@dataclass(frozen=True)
class Glance:
    """What a reader needs first: the gravest of what was found.

    Attributes:
        place: Where it was, as the heading of its step has it without the line.
        finding: What explains it.
        source: The line to look at, if one is known.
        remedy: What to do first, if anything is known.
    """

    place: list[str]
    finding: Finding
    source: SourceLine | None
    remedy: Remedy | None


def at_a_glance(run: Timeline) -> Glance | None:
    """The first step that went wrong, faults of the loop before others; None for a run that is well."""
    ill = sorted((a for a in run.alarms if serious(a.report)), key=lambda alarm: alarm.kind is not AlarmKind.LOOP)
    if not ill:
        found = next(((d, serious(d.report)[0]) for d in run.diagnoses if serious(d.report)), None)
        return found and Glance(diagnosis_place(found[0], run), found[1], found[1].source, _first(found[1]))
    findings = serious(ill[0].report)
    told = findings[1] if is_explained(ill[0]) else findings[0]
    place = alarm_place(ill[0], run, line=False)
    return Glance(place, told, alarm_line(ill[0]), _first(told) or _first(findings[0]))


def _first(finding: Finding) -> Remedy | None:
    return next(iter(finding.remedies), None)


def run_report(run: Timeline) -> Report:
    """Every finding of a run once, with the step at which it was found; a script that did not end well is an error."""
    return Report(
        name=" ".join(run.command),
        status=Status.FAILED if _error(run) and run.status is not Status.ILL else run.status,
        exit_code=run.exit_code,
        target={},
        versions=run.versions,
        findings=gravest_first(_findings(run)),
        hidden=sum(report.hidden for report in run.reports),
        waived=tuple(waived for report in run.reports for waived in report.waived),
        notes=_notes(run),
        seconds=run.seconds,
        error=_error(run),
    )


def unrepeated(alarm: Alarm) -> Report:
    """The report of an alarm, each remedy told once."""
    if not is_explained(alarm):
        return alarm.report
    own = serious(alarm.report)[0]
    plain = (replace(f, remedies=()) if f is own else f for f in alarm.report.findings)
    return replace(alarm.report, findings=tuple(plain))


def told_once(run: Timeline) -> Iterator[tuple[list[str], Report]]:
    """The steps with something to tell: where each was, and its report without what was told of one before it.

    Steps that were asked for are told in any case.
    """
    steps = [(alarm_place(alarm, run), unrepeated(alarm), False) for alarm in run.alarms]
    steps += [(diagnosis_place(each, run), each.report, each.why is not Why.FIRST) for each in run.diagnoses]
    seen: set[str] = set()
    for place, report, asked in steps:
        new = tuple(finding for finding in report.findings if finding_key(finding) not in seen)
        seen |= {finding_key(finding) for finding in new}
        told = replace(report, findings=new)
        if asked or serious(told):
            yield place, told


def _findings(run: Timeline) -> Iterator[Finding]:
    at = [(alarm.step, unrepeated(alarm)) for alarm in run.alarms]
    at += [(diagnosed.step, diagnosed.report) for diagnosed in run.diagnoses]
    seen: set[str] = set()
    for step, report in at:
        for finding in report.findings:
            if finding_key(finding) not in seen:
                seen.add(finding_key(finding))
                yield replace(finding, message=f"step {step}: {finding.message}")


def _error(run: Timeline) -> str:
    """Why a run did not end well; findings alone are no reason."""
    ended = script_end(run) if run.status is Status.ILL else [*script_end(run), *run.notes, *run_verdict(run)]
    return run.error or (ended[0] if ended and run.exit_code else "")


def _notes(run: Timeline) -> tuple[str, ...]:
    own = [note for report in run.reports for note in report.notes]
    told = dict.fromkeys((f"{count_of(run.steps, 'step')} watched", *run.notes, *own))
    return tuple(note for note in told if note != _error(run))
