"""A copy that was trained when the script had ended: a finding, or a note."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradcheck_cli.records.apart import Apart, Kind
from gradcheck_cli.records.choices import Severity, Status
from gradcheck_cli.records.retrying import Retried
from gradcheck_cli.records.session import Process
from gradcheck_cli.records.shadow import Shadowed
from gradcheck_cli.records.timeline import AlarmKind, Replay, Timeline
from tests.timeline.sessions import Session, entry, falling, judged, process, vitals
from tests.timeline.sessions import raised as raised_

STAYS, FALLS = (0.9,) * 48, tuple(0.9 * 0.9**i for i in range(48))
NOVEL = Apart(name="target", rows=(4,), kind=Kind.ABOVE, value=9999.0, others=9.8, batches=53)
FAR = Shadowed(first=97, last=144, own_step=144, kind="SGD", rate=0.3, run=STAYS, copy=FALLS, passes=96)
LEVEL = [0.9 + 0.01 * (i % 3) for i in range(160)]


def run(told: Shadowed | None, losses: list[float] = LEVEL, **changes: object) -> Timeline:
    made: Process = process(vitals=vitals(losses), shadowed=told, **changes)
    session = Session((made,))
    return replace(session, options=replace(session.options, shadow=True)).timeline()


def test_a_copy_that_ends_far_below_is_a_finding_with_its_numbers() -> None:
    timeline = run(FAR)
    (alarm,) = timeline.alarms
    finding = alarm.report.findings[0]
    assert timeline.status is Status.ILL and (finding.code, finding.severity) == ("GC646", Severity.ERROR)
    assert (alarm.step, alarm.optimizer_step, finding.cause) == (144, 144, "lr-too-high")
    assert finding.message == (
        "a copy with a tenth of the learning rate ends at a loss of 0.0114, the run at 0.9, on the same 48 batches"
    )
    assert "its first loss is the run's to the last bit" in finding.why and "repeated" not in finding.why
    first = finding.remedies[0]
    assert first.id == "lower-lr" and first.title.endswith("0.03 instead of 0.3")
    assert (first.trial.outcome, first.trial.before) == ("helps", 0.9)
    assert first.trial.after == pytest.approx(FAR.copy_ends)


def test_where_gradients_are_never_cleared_that_is_the_cause() -> None:
    never = raised_(AlarmKind.LOOP, 4, "no gradient is cleared", code="GC650", since=2)  # type: ignore[arg-type]
    made = process(vitals=vitals(LEVEL), shadowed=FAR, raised=(entry(never),))
    alarms = Session((made,), (judged(never),)).timeline().alarms
    own = next(alarm for alarm in alarms if alarm.kind is AlarmKind.SHADOW).report.findings[0]
    assert own.cause == "missing-zero-grad" and own.remedies[0].id == "zero-grad"
    assert own.remedies[0].trial.note == "with a tenth of the learning rate as well"


@pytest.mark.parametrize(
    ("kind", "changes", "found"),
    [
        (AlarmKind.NONFINITE, {"samples": (4,)}, False),
        (AlarmKind.LOSS_SPIKE, {"samples": (4,), "novel": NOVEL}, False),
        (AlarmKind.LOSS_SPIKE, {"samples": (4,)}, True),  # the hardest of usual ones
        (AlarmKind.NONFINITE, {"samples": (4,), "replay": Replay.INEXACT}, True),
        (AlarmKind.NONFINITE, {}, True),
    ],
)
def test_no_rate_is_accused_beside_rows_that_are_proven_to_have_done_it(
    kind: AlarmKind, changes: dict[str, object], found: bool
) -> None:
    alarm = raised_(kind, 120, "the loss is nan", loss=9.0)
    made = process(vitals=vitals(LEVEL), shadowed=FAR, raised=(entry(alarm, **changes),))
    session = Session((made,), (judged(alarm),))
    timeline = replace(session, options=replace(session.options, shadow=True)).timeline()
    assert (AlarmKind.SHADOW in [each.kind for each in timeline.alarms]) is found
    told = "rows of step 120 did it, and smaller steps bear them better"
    assert any(note.endswith(told) for note in timeline.notes) is not found


def test_the_rate_that_a_copy_learned_with_is_told_in_place_of_one_that_an_update_was_tried_with() -> None:
    tried = Retried(step=144, kind="SGD", rate=0.3)
    (alarm,) = run(FAR, retried=(tried,)).alarms
    assert alarm.report.findings[0].remedies[0].title == "a smaller learning rate: 0.03 instead of 0.3"


@pytest.mark.parametrize(
    ("told", "losses", "note"),
    [
        (replace(FAR, copy=STAYS), LEVEL, "on the same 48 batches: smaller steps do no better"),
        (FAR, falling(160), "the run learned all the same; a lower rate at its end takes it further"),
        (replace(FAR, run=(*STAYS[1:], -0.1)), LEVEL, "of a loss that goes below 0 that says nothing"),
        (Shadowed(why="12 steps were kept"), LEVEL, "--shadow: no copy was trained: 12 steps were kept"),
        (None, LEVEL, "--shadow: the process was ended before a copy could be trained"),
    ],
)
def test_else_it_is_a_note(told: Shadowed | None, losses: list[float], note: str) -> None:
    timeline = run(told, losses)
    assert timeline.alarms == () and timeline.status is Status.HEALTHY
    (own,) = [each for each in timeline.notes if "--shadow" in each]
    assert own.endswith(note)


def test_nothing_is_said_of_it_where_nobody_asked() -> None:
    assert not [note for note in Session((process(),)).timeline().notes if "shadow" in note]
