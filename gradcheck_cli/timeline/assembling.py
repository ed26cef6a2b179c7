"""The session of a run as its timeline: what the processes wrote, judged by how the run went on."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck_cli import __version__
from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.report import Finding, Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Process
from gradcheck_cli.records.timeline import Alarm, Diagnosed, Outcome, Overhead, Timeline
from gradcheck_cli.records.verdict import exit_code
from gradcheck_cli.timeline.courses import courses_of, series_of
from gradcheck_cli.timeline.events import AlarmEvent, Judge, events_of, rejudged
from gradcheck_cli.timeline.notes import NO_STEP, notes_of
from gradcheck_cli.timeline.shadow import shadow_event, shadow_notes
from gradcheck_cli.timeline.telling import alarm_of, explaining_first, first_judged, unlearned

_MOST_ALARMS = 200
"""Alarms that are told at most: those that stand, and then the first."""
_ENOUGH = 20
"""Steps from which on the cost of one is told: at the first everything is seen for the first time."""


def assembled(
    processes: Sequence[Process],
    options: RunOptions,
    script_exit: int | None,
    seconds: float,
    judge: Judge = rejudged,
) -> Timeline:
    """The timeline of a run that has ended.

    Args:
        processes: What was read from its session.
        options: What was asked for.
        script_exit: How the script ended, 128 + N for signal N.
        seconds: Wall time of the whole run.
        judge: Judges the alarms of a process by its vitals.
    """
    if not script_exit:
        processes = [process.without_what_it_left() for process in processes]
    seen = sorted((p for p in processes if p.vitals), key=lambda p: (p.rank, -len(p.vitals)))
    events = events_of(seen, judge, options.max_diagnoses)
    diagnoses, all_alarms = _told(seen, events, options)
    alarms = _foremost(all_alarms)
    main = seen[0] if seen else None
    ended = None if any(process.stopped for process in processes) else script_exit
    reports = [each.report for each in alarms] + [each.report for each in diagnoses]
    findings = [finding for report in reports for finding in report.findings]
    aside = next((process.aside for process in processes if process.aside), "")
    versions = {name: version for process in reversed(seen) for name, version in process.versions.items()}
    return Timeline(
        command=options.command,
        status=_status(reports, seen=bool(seen), aside=aside),
        exit_code=ended or exit_code(findings, options.fail_on) or (2 if aside or not seen else 0),
        script_exit=ended,
        steps=max(map(_steps, seen), default=0),
        ranks=len(seen),
        alarms=alarms,
        diagnoses=diagnoses,
        series=series_of(main) if main else {},
        layers=courses_of(main.layers, main.samples) if main else {},
        optimizers=main.uses if main else (),
        evaluations=main.evaluations if main else 0,
        trial_passes=sum(map(_passes, seen)),
        overhead=_overhead(main) if main else None,
        notes=(
            *notes_of(processes, seen, options),
            *dict.fromkeys(shadow_notes(seen, events, options)),
            *_untold(len(all_alarms) - len(alarms)),
        ),
        versions={"gradcheck": __version__, **versions},
        seconds={"total": seconds, "diagnoses": sum((p.cost.diagnoses for p in seen if p.cost), 0.0)},
        error=f"{NO_STEP}: the watcher stepped aside: {aside}" if aside and not seen else "",
    )


def _told(
    seen: Sequence[Process], events: Sequence[AlarmEvent], options: RunOptions
) -> tuple[tuple[Diagnosed, ...], tuple[Alarm, ...]]:
    """The diagnoses of the lowest rank and the alarms of all, those of the first steps explained by step 1."""
    diagnoses: list[Diagnosed] = []
    began: dict[int, list[Finding]] = {}
    readings: list[AlarmEvent] = []
    for process in seen:
        if process.rank != seen[0].rank:
            continue
        for diagnosed in process.diagnosed:
            told, explains = first_judged(diagnosed, process, events, options)
            diagnoses.append(told)
            for event in explains:
                began[id(event)] = explaining_first(event, told.report.findings)
            readings += filter(None, (unlearned(told, process, events, options),))
    shadowed = [found for process in seen if (found := shadow_event(process, events, options)) is not None]
    told_of = (*readings, *events, *shadowed)
    alarms = [alarm_of(event, began.get(id(event), ()), options) for event in told_of]
    return tuple(sorted(diagnoses, key=lambda each: each.step)), tuple(sorted(alarms, key=lambda each: each.step))


def _foremost(alarms: tuple[Alarm, ...]) -> tuple[Alarm, ...]:
    if len(alarms) <= _MOST_ALARMS:
        return alarms
    chosen = sorted(alarms, key=lambda each: each.verdict is not Outcome.CONFIRMED)[:_MOST_ALARMS]
    return tuple(sorted(chosen, key=lambda each: each.step))


def _untold(count: int) -> tuple[str, ...]:
    return (f"{count} more alarms are left out, so that the report stays readable",) if count else ()


def _status(reports: Sequence[Report], *, seen: bool, aside: str) -> Status:
    """Ill with a finding above a note; healthy only where the run was watched to its end."""
    if any(report.status is Status.ILL for report in reports):
        return Status.ILL
    if aside:
        return Status.UNKNOWN if seen else Status.FAILED
    return Status.HEALTHY if seen else Status.UNKNOWN


def _passes(process: Process) -> int:
    copied = process.shadowed.passes if process.shadowed is not None else 0
    return copied + sum(retried.passes for retried in process.retried)


def _overhead(process: Process) -> Overhead | None:
    cost = process.cost
    if cost is None or cost.steps < _ENOUGH:
        return None
    own = cost.total - cost.watching - cost.diagnoses
    return Overhead(
        ms_per_step=1000 * cost.watching / cost.steps, percent=100 * cost.watching / own if own > 0 else 0.0
    )


def _steps(process: Process) -> int:
    """Updates of a process: of its last, little may be known but that they were."""
    told, cost = process.vitals[-1].step, process.cost
    return max(told, cost.steps) if cost is not None and (cost.glanced or cost.slept) else told
