"""Runs that stand at chance: what was found in their steps, at first or later, confirms an alarm or makes one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradcheck_cli.records.choices import About, Decision, Family, Severity, Status
from gradcheck_cli.records.report import Finding, Opinion
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import RaisedEntry, Sample
from gradcheck_cli.records.timeline import AlarmKind, Diagnosed, Outcome, Replay, Timeline, Why
from gradcheck_cli.timeline import assembled
from gradcheck_cli.timeline.events import rejudged
from gradcheck_cli.timeline.notlearning import reasons, with_reason
from tests.timeline.sessions import finding, process, step_report, vitals

OPTIONS = RunOptions(command=("train.py",))
VANISHED = finding(
    code="GC201", rule="vanishing-depth", family=Family.VANISHING, cause="saturating-activation", message="it vanishes"
)
SUSPECTED = replace(VANISHED, severity=Severity.NOTE, opinion=Opinion(about=About.WHOLE, severity=Severity.ERROR))


def standing(
    steps: int, *first: Finding, ratio: float = 1.0, late: tuple[Finding, ...] = (), **changes: object
) -> Timeline:
    """A run that stands at that ratio to chance from its first step to its last."""
    losses = [0.7] * steps
    at = [16 * 2**i for i in range(12) if 16 * 2**i <= steps]
    run = process(
        vitals=vitals(losses),
        samples=tuple(Sample(step=step, loss=0.7, chance=0.7 / ratio, after=0.69, update=1e-3) for step in at),
        diagnosed=(Diagnosed(step=1, why=Why.FIRST, replay=Replay.EXACT, report=step_report(*first)),),
        **changes,
    )
    raised = [each.raised for each in rejudged(run)]
    entries = [RaisedEntry(raised=each, replay=Replay.EXACT, report=step_report(*late)) for each in raised]
    return assembled((replace(run, raised=tuple(entries)),), OPTIONS, 0, 1.0)


def told(timeline: Timeline) -> list[tuple[AlarmKind, int, Outcome, str]]:
    return [(a.kind, a.step, a.verdict, a.report.findings[0].cause) for a in timeline.alarms]


def test_a_run_at_chance_without_a_reason_is_a_note() -> None:
    timeline = standing(300)
    assert told(timeline) == [(AlarmKind.STUCK, 100, Outcome.OPEN, "stuck")]
    assert timeline.status is Status.HEALTHY


@pytest.mark.parametrize("place", ["first", "late"])
def test_a_step_that_says_why_confirms_it(place: str) -> None:
    timeline = standing(300, VANISHED) if place == "first" else standing(300, late=(VANISHED,))
    assert told(timeline) == [(AlarmKind.STUCK, 100, Outcome.CONFIRMED, "saturating-activation")]
    (alarm,) = timeline.alarms
    assert alarm.report.findings[0].why.startswith(
        "at the end the loss is that of one answer for every sample; it vanishes"
    )
    assert [f.code for f in alarm.report.findings] == ["GC641", "GC201"]
    assert timeline.status is Status.ILL


@pytest.mark.parametrize(("steps", "outcome"), [(300, Outcome.OPEN), (500, Outcome.CONFIRMED)])
def test_a_suspicion_has_to_be_borne_out_for_longer(steps: int, outcome: Outcome) -> None:
    timeline = standing(steps, SUSPECTED)
    assert [alarm.verdict for alarm in timeline.alarms] == [outcome]
    first = timeline.diagnoses[0].report.findings[0]
    assert first.severity is (Severity.ERROR if outcome is Outcome.CONFIRMED else Severity.NOTE)


def test_a_suspicion_of_a_part_or_one_that_was_refuted_is_no_reason() -> None:
    part = replace(SUSPECTED, opinion=Opinion(about=About.PART, severity=Severity.ERROR))
    refuted = replace(SUSPECTED, opinion=Opinion(about=About.WHOLE, severity=Severity.ERROR, decision=Decision.REFUTED))
    warning = replace(VANISHED, severity=Severity.WARNING)
    for each in (part, refuted, warning):
        assert told(standing(600, late=(each,)))[0][2] is Outcome.OPEN


def test_a_run_that_is_too_short_for_samples_is_told_as_a_reading_of_its_first_step() -> None:
    timeline = standing(80, VANISHED)
    assert told(timeline) == [(AlarmKind.READING, 1, Outcome.CONFIRMED, "saturating-activation")]
    (alarm,) = timeline.alarms
    assert alarm.message == "step 1 showed a fault, and the loss ended at that of one answer for every sample"
    assert alarm.source == VANISHED.source


def test_a_run_that_learned_makes_no_reading() -> None:
    run = process(
        diagnosed=(Diagnosed(step=1, why=Why.FIRST, replay=Replay.EXACT, report=step_report(VANISHED)),),
    )
    timeline = assembled((run,), OPTIONS, 0, 1.0)
    assert timeline.alarms == () and timeline.status is Status.HEALTHY


def test_a_run_that_came_down_to_chance_has_not_learned() -> None:
    """As a model that has found the mean of its targets: its loss fell, and is that of one answer."""
    losses = [28.0 * 0.9**i + 7.0 for i in range(90)]
    samples = tuple(Sample(step=step, loss=7.05, chance=7.0) for step in (16, 32, 64))
    first = Diagnosed(step=1, why=Why.FIRST, replay=Replay.EXACT, report=step_report(VANISHED))
    timeline = assembled((process(vitals=vitals(losses), samples=samples, diagnosed=(first,)),), OPTIONS, 0, 1.0)
    assert [alarm.kind for alarm in timeline.alarms] == [AlarmKind.READING]


def test_what_was_not_repeated_exactly_is_no_reason() -> None:
    run = process(vitals=vitals([0.7] * 300), samples=())
    raised = rejudged(replace(run, samples=tuple(Sample(step=s, loss=0.7, chance=0.7) for s in (16, 32, 64, 128, 256))))
    entry = RaisedEntry(raised=raised[0].raised, replay=Replay.INEXACT, report=step_report(VANISHED))
    assert reasons(run, entry) == []
    assert with_reason(run, raised[0], entry) is raised[0]


@pytest.mark.parametrize(("ratio", "kinds"), [(1.0, ["loss-balance"]), (1.4, []), (2.0, [])], ids=str)
def test_a_term_that_outweighs_another_is_the_reason_of_a_run_at_chance(ratio: float, kinds: list[str]) -> None:
    balance = "loss-balance"
    note = finding(code="GC216", rule=balance, family=Family.VANISHING, cause=balance, severity=Severity.NOTE)
    timeline = standing(300, note, ratio=ratio)
    readings = [alarm for alarm in timeline.alarms if alarm.kind is AlarmKind.READING]
    assert [alarm.report.findings[0].cause for alarm in readings] == kinds
    assert [[r.id for r in alarm.report.findings[0].remedies] for alarm in readings] == [["reduction-fix"]] * len(kinds)
