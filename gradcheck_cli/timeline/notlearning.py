"""Runs that do not learn, as what was found in their steps explains them (THEORY.md, section 7: slow illness)."""

from __future__ import annotations

from dataclasses import replace

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.report import Finding, Report
from gradcheck_cli.records.session import Process, RaisedEntry
from gradcheck_cli.records.timeline import AlarmKind, Diagnosed, Judged, Outcome, Raised, Replay, Why
from gradcheck_cli.remedies import remedies_for
from gradcheck_cli.rules import SLOW, explaining
from gradcheck_cli.timeline.opinions import ended_at_chance
from gradcheck_cli.watch.stalls import NO_REASON


def with_reason(process: Process, judged: Judged, entry: RaisedEntry) -> Judged:
    """An alarm of a run that stands at chance to its end: confirmed where a step that was repeated says why.

    Slow is not ill: what is only suspected of the whole model has to be borne out by more updates than an error.
    """
    if judged.raised.kind not in SLOW or not judged.told.endswith(NO_REASON):
        return judged
    found = reasons(process, entry)
    mine = (vital for vital in process.vitals if vital.optimizer == judged.raised.optimizer)
    updates = max((vital.optimizer_step for vital in mine), default=0)
    if updates < ALARMING.suspected:
        found = [finding for finding in found if finding.severity is Severity.ERROR]
    if not found:
        return judged
    told = judged.told.removesuffix(NO_REASON) + found[0].message
    return replace(judged, outcome=Outcome.CONFIRMED, finding=True, told=told)


def reasons(process: Process, entry: RaisedEntry) -> list[Finding]:
    """What keeps a run from learning, by the step that an alarm was raised at and by the first."""
    first = [each for each in process.diagnosed if each.why is Why.FIRST and each.replay is Replay.EXACT]
    reports = [each.report for each in first]
    if entry.replay is Replay.EXACT and entry.report is not None:
        reports.append(entry.report)
    return explaining(entry.raised.kind, [finding for report in reports for finding in report.findings])


def reading_of(process: Process, first: Diagnosed, told: str) -> tuple[Judged, RaisedEntry] | None:
    """What the first step showed, as an alarm of a run that did not learn; None where it showed no fault.

    Args:
        process: The run.
        first: The diagnosis of step 1, as the run bears it out.
        told: How the run ended, with its numbers.
    """
    at = next(vital for vital in process.vitals if vital.step == first.step)
    if ended_at_chance([sample for sample in process.samples if sample.optimizer == at.optimizer]) is not None:
        first = replace(first, report=_with_balance(first.report))
    found = [f for f in explaining(AlarmKind.READING, first.report.findings) if f.severity is Severity.ERROR]
    if first.why is not Why.FIRST or first.replay is not Replay.EXACT or not found:
        return None
    message = f"step {first.step} showed a fault, and {told}"
    raised = Raised(
        kind=AlarmKind.READING,
        step=first.step,
        optimizer=at.optimizer,
        message=message,
        evidence={"finding": found[0].code},
    )
    judged = Judged(
        raised=raised, last_step=process.vitals[-1].step, outcome=Outcome.CONFIRMED, finding=True, told=found[0].message
    )
    entry = RaisedEntry(
        raised=raised,
        optimizer_step=at.optimizer_step,
        source=found[0].source,
        replay=first.replay,
        report=first.report,
    )
    return judged, entry


def _with_balance(report: Report) -> Report:
    """The report where a term that outweighs another is an error: the run lowered that one alone, and learned nothing.

    Weights of terms are the user's to choose, so that it is a note in itself.
    """
    remedies = remedies_for(_BALANCE, frozenset(), "GC216")
    findings = (
        replace(f, severity=Severity.ERROR, remedies=remedies) if f.cause == _BALANCE else f for f in report.findings
    )
    return replace(report, findings=tuple(findings))


_BALANCE = "loss-balance"
