"""What an alarm tells of its update that was made again."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.retrying import Held, Retried, ScalesTried, UpdateChange, UpdateVariant
from gradcheck_cli.records.timeline import Alarm, AlarmKind, Diagnosed, Outcome, Replay, Why
from gradcheck_cli.remedies import remedies_for
from gradcheck_cli.timeline.retrying import in_words, losses_before, retried_at, treated
from tests.timeline.sessions import Session, entry, exploding, falling, finding, judged, process, step_report, vitals
from tests.timeline.sessions import raised as raised_

SPIKE = raised_(AlarmKind.LOSS_SPIKE, 80, "the loss jumped to 812, from 0.41 before")
AS_RUN = UpdateVariant(change=UpdateChange.AS_RUN, loss=900.0, size=0.5)
CLIPPED = UpdateVariant(change=UpdateChange.CLIPPED, amount=1.0, share=0.1, loss=2.0, size=1e-3)
USUAL = (0.4, 0.42) * 20
HARMED = Retried(step=80, kind="SGD", rate=0.1, loss=3.0, usual=1e-3, tried=(AS_RUN, CLIPPED), passes=5)
WELL = replace(HARMED, tried=(UpdateVariant(change=UpdateChange.AS_RUN, loss=2.9, size=1e-3),), passes=3)


def run(retried: Retried, *findings: Finding, outcome: Outcome = Outcome.CONFIRMED) -> Alarm:
    made = process(vitals=vitals([*falling(79), *[812.0] * 81]), raised=(entry(SPIKE, *findings),), retried=(retried,))
    timeline = Session((made,), (judged(SPIKE, outcome),)).timeline()
    assert timeline.trial_passes == retried.passes and not [note for note in timeline.notes if "passes" in note]
    return next(alarm for alarm in timeline.alarms if alarm.kind is AlarmKind.LOSS_SPIKE)


def test_an_alarm_tells_what_its_update_does_and_what_was_measured_first() -> None:
    own = run(HARMED).report.findings[0]
    told = "the update as the run makes it takes the loss of this batch from 3 to 900"
    assert f"{told}, and moves the weights by 0.5 of themselves, where 0.001 is usual;" in own.why
    first = own.remedies[0]
    assert (first.id, first.title) == ("clipping", "clip the gradient's norm at 1")
    assert (first.trial.outcome, first.trial.before, first.trial.after) == ("fixed", 900.0, 2.0)


def test_the_finding_that_explains_it_has_the_same_remedies() -> None:
    """Only one of the two shows them."""
    alarm = run(HARMED, exploding(cause="input-scale"))
    own, other = alarm.report.findings[:2]
    assert other.code == "GC301" and own.remedies == other.remedies
    assert [remedy.id for remedy in own.remedies] == ["init", "clipping"]


def test_what_the_run_came_back_from_has_no_remedies() -> None:
    own = run(HARMED, outcome=Outcome.RECOVERED).report.findings[0]
    assert own.severity is Severity.NOTE and own.remedies == ()


def test_another_step_or_optimiser_is_another_update() -> None:
    made = process(retried=(replace(HARMED, step=79), replace(HARMED, optimizer=1)))
    assert retried_at(made, SPIKE) is None
    assert retried_at(process(retried=(HARMED,)), SPIKE) == HARMED


def test_nothing_that_was_tried_changes_nothing() -> None:
    spike = replace(finding(), remedies=remedies_for("grad-spike"), cause="grad-spike")
    assert treated(spike, None) == spike == treated(spike, Retried(step=80, why="by hand"))
    assert treated(spike, HARMED) != spike
    note = replace(spike, severity=Severity.NOTE)
    assert treated(note, HARMED) == note


@pytest.mark.parametrize(
    ("held", "start", "told"),
    [
        (
            Held(step=40, loss=0.41, now=812.0),
            40,
            "with the parameters of step 40 this batch costs 0.41, not 812: the updates since did it, and what is "
            "tried starts there",
        ),
        (
            Held(step=40, loss=0.41, now=math.nan),
            40,
            "with the parameters of step 40 this batch costs 0.41, not what is not finite: the updates since did it, "
            "and what is tried starts there",
        ),
        (
            Held(step=40, loss=809.0, now=812.0),
            None,
            "with the parameters of step 40 this batch costs 809, and 812 now: the batch did it",
        ),
        (Held(step=40, loss=None, now=1.0), None, "the batch could not be taken again with the parameters of step 40"),
    ],
)
def test_a_snapshot_tells_the_update_from_the_batch(held: Held, start: int | None, told: str) -> None:
    words = in_words(AlarmKind.LOSS_SPIKE, replace(HARMED, held=held, start=start), USUAL)
    assert words.startswith(f"{told}; the update as the run makes it")


@pytest.mark.parametrize(
    ("before", "loss", "told"),
    [
        (
            [2.0 + 0.01 * k for k in range(60)],
            2.6,
            ", as those before it do: it is no single batch or update, the loss drifts",
        ),
        ([0.4, 0.5] * 5, 9.0, ""),  # too few to tell
        ([], math.inf, ": the batch did it"),
    ],
)
def test_a_batch_is_blamed_only_where_it_stands_out(before: list[float], loss: float, told: str) -> None:
    held = Held(step=79, loss=loss, now=loss)
    words = in_words(AlarmKind.DIVERGING, replace(HARMED, held=held), before)
    assert words.startswith(f"with the parameters of step 79 this batch costs {loss:.3g}, and {loss:.3g} now{told}")
    assert told or "did it" not in words


def test_the_losses_before_are_those_of_the_alarms_optimiser_that_are_finite() -> None:
    other = replace(vitals([7.0])[0], optimizer=1)
    made = process(vitals=(other, *vitals([1.0, math.nan, 3.0, 9.0])))
    assert losses_before(made, replace(SPIKE, step=4)) == (1.0, 3.0)


def test_an_update_that_is_well_is_not_what_did_it() -> None:
    words = in_words(AlarmKind.GRAD_SPIKE, WELL)
    assert words == (
        "the update as the run makes it takes the loss of this batch from 3 to 2.9, and moves the weights by 0.001 of "
        "themselves, where 0.001 is usual, so that this one does no harm to it"
    )
    assert in_words(AlarmKind.STUCK, WELL) == ""
    assert in_words(None, WELL) == words


def test_where_nothing_helps_that_is_said_once() -> None:
    none = replace(HARMED, tried=(AS_RUN, replace(CLIPPED, loss=890.0)))
    assert in_words(AlarmKind.SWINGING, none).endswith("; no other way to make the update that was tried helps")
    assert "helps" not in in_words(AlarmKind.SWINGING, HARMED)
    assert "helps" not in in_words(AlarmKind.LOSS_SPIKE, replace(WELL, tried=(*WELL.tried, replace(CLIPPED, loss=2.9))))
    assert "helps" not in in_words(AlarmKind.SWINGING, replace(HARMED, tried=(AS_RUN,)))


def test_of_a_step_that_was_asked_for_all_ways_are_told() -> None:
    ways = (
        UpdateVariant(change=UpdateChange.LOWER_RATE, amount=0.1, loss=2.5),
        CLIPPED,
        UpdateVariant(change=UpdateChange.EPS, amount=1e-4, loss=7.0),
        UpdateVariant(change=UpdateChange.ANEW, loss=8.0),
    )
    words = in_words(None, replace(HARMED, tried=(AS_RUN, *ways)))
    assert words.endswith(
        "; with a rate of 0.01: 2.5; clipped at 1: 2; with an eps of 1e-04: 7; with averages that begin anew: 8"
    )
    slow = replace(
        WELL,
        tried=(replace(AS_RUN, loss=3.0, size=1e-7), UpdateVariant(change=UpdateChange.HIGHER_RATE, amount=10, loss=2)),
    )
    assert in_words(None, slow).endswith("; with a rate of 1: 2")


def test_rows_at_fault_leave_the_others_to_be_told_of() -> None:
    assert "takes the loss of the other rows from 3 to 900" in in_words(
        AlarmKind.LOSS_SPIKE, replace(HARMED, rows=(3,))
    )


def test_where_the_updates_before_may_be_the_reason_a_snapshot_is_asked_for() -> None:
    late = "that starts from the state of this step: --snapshot keeps an earlier one"
    for kind in (AlarmKind.UPDATE_SPIKE, AlarmKind.LOSS_SPIKE, AlarmKind.DIVERGING):
        assert late in in_words(kind, HARMED)
        assert late not in in_words(kind, replace(HARMED, held=Held(step=40, loss=1.0, now=2.0)))
        assert late not in in_words(kind, replace(HARMED, rows=(3,)))
    assert late not in in_words(AlarmKind.GRAD_SPIKE, HARMED)


def test_why_nothing_was_tried() -> None:
    words = in_words(AlarmKind.LOSS_SPIKE, Retried(step=80, why="the parameters are updated by hand"))
    assert words == "the update was not tried again: the parameters are updated by hand"


def test_a_step_that_was_asked_for_tells_it_in_a_note() -> None:
    asked = Diagnosed(step=80, why=Why.AT, replay=Replay.EXACT, report=step_report())
    made = process(diagnosed=(asked,), retried=(WELL,))
    notes = Session((made,)).timeline().notes
    assert f"step 80: {in_words(None, WELL)}" in notes


@pytest.mark.parametrize(
    ("scales", "told"),
    [
        (
            ScalesTried(now=1.0, lost=0.92, fits=2.0**22, lost_then=0.0),
            "float16 loses 92 % of this gradient's elements without a loss scale, and 0 % at 4,194,304",
        ),
        (
            ScalesTried(now=65536.0, lost=0.5, growth=2000),
            "float16 loses 50 % of this gradient's elements at a loss scale of 65,536, and with no scale down to 1 are "
            "all of them finite",
        ),
    ],
)
def test_loss_scales_are_told_with_what_they_lose(scales: ScalesTried, told: str) -> None:
    assert in_words(AlarmKind.OVERFLOW, Retried(step=80, scales=scales)) == told


def test_what_the_first_step_showed_is_cured_by_the_scale_that_was_tried_later() -> None:
    scales = Retried(step=100, scales=ScalesTried(now=1.0, lost=0.9, fits=2.0**13, lost_then=0.0))
    reading = raised_(AlarmKind.READING, 1, "step 1 showed a fault")
    assert retried_at(process(retried=(HARMED, scales)), reading) == scales
    assert retried_at(process(retried=(HARMED,)), reading) is None
