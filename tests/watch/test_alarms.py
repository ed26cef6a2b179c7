"""The alarms of a run: kinds and verdicts on recorded runs, and figures on synthetic ones."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from gradcheck_cli.records.raterise import RateRise
from gradcheck_cli.records.session import Sample, Withdrawn
from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Raised, Vital
from gradcheck_cli.watch.alarms import Alarms
from tests.watch.record import SERIES, read
from tests.watch.synthetic import is_finding, judged, scored, series

HEALTHY = (
    "acc_two", "bandit_reinforce", "exact_fit", "growth_curve_fixed", "hf_classifier", "income_fixed",
    "parabola_fixed", "restarts", "rings_fixed", "scaler_settles", "spring_length_fixed",
)  # fmt: skip
ILL = {
    "blobs": ((1, 4), (AlarmKind.DIVERGING, AlarmKind.NONFINITE)),
    "ddp_wells": ((22, 22), (AlarmKind.NONFINITE,)),
    "echo_rnn": ((51, 58), (AlarmKind.GRAD_SPIKE, AlarmKind.LOSS_SPIKE)),
    "heat_index": ((1, 75), (AlarmKind.DIVERGING, AlarmKind.NONFINITE)),
    "line_ctc": ((38, 38), (AlarmKind.NONFINITE,)),
    "lit_density": ((47, 47), (AlarmKind.NONFINITE,)),
    "pairwise_embed": ((73, 73), (AlarmKind.NONFINITE,)),
    "parabola": ((1, 600), (AlarmKind.DIVERGING,)),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_no_finding_on_a_healthy_script(name: str) -> None:
    assert [alarm for alarm in judged(tuple(read(SERIES / f"{name}.json"))) if is_finding(alarm)] == []


@pytest.mark.parametrize("name", ILL)
def test_an_ill_script_is_found_in_its_window(name: str) -> None:
    (first, last), kinds = ILL[name]
    findings = [alarm for alarm in judged(tuple(read(SERIES / f"{name}.json"))) if is_finding(alarm)]
    assert findings
    assert all(alarm.outcome is Outcome.CONFIRMED for alarm in findings)
    assert first <= findings[0].raised.step <= last
    assert {alarm.raised.kind for alarm in findings} <= set(kinds)


def test_every_recorded_script_is_asked() -> None:
    slow_illness = {"blobs_slow", "forecast_gru", "growth_curve", "income", "rings", "spring_length"}
    assert {file.stem for file in SERIES.glob("*.json")} == {*HEALTHY, *ILL, *slow_illness}


def test_what_is_not_finite_is_confirmed_at_once_and_is_one_event() -> None:
    alarms = Alarms()
    assert alarms.see(Vital(step=1, loss=1.0, grad_norm=1.0)) == ()
    (raised,) = alarms.see(Vital(step=2, loss=math.nan, finite=False))
    assert alarms.see(Vital(step=3, loss=math.nan, finite=False)) == ()
    (alarm,) = alarms.judged()
    assert alarm.raised is raised
    assert (raised.kind, raised.step, raised.message) == (AlarmKind.NONFINITE, 2, "the loss is nan")
    assert (alarm.outcome, alarm.finding, alarm.last_step) == (Outcome.CONFIRMED, True, 3)


@pytest.mark.parametrize(
    ("vital", "message"),
    [
        (Vital(step=1, loss=1.0, grad_norm=math.inf, finite=False), "the gradient norm is inf"),
        (Vital(step=1, loss=1.0, finite=False), "a gradient or a parameter is not finite"),
        (Vital(step=1, loss=-math.inf), "the loss is -inf"),
    ],
)
def test_what_is_not_finite_is_named(vital: Vital, message: str) -> None:
    assert [raised.message for raised in Alarms().see(vital)] == [message]


def test_what_a_scaler_skips_is_an_overflow() -> None:
    (raised,) = Alarms().see(Vital(step=1, loss=math.nan, finite=False, scale=65536.0, skipped=True))
    assert raised.kind is AlarmKind.OVERFLOW


def test_optimisers_have_statistics_of_their_own() -> None:
    alarms = Alarms()
    raised = [
        each
        for step in range(1, 201)
        for each in alarms.see(
            Vital(step=step, optimizer=step % 2, loss=(1.0, 1e6)[step % 2], grad_norm=(1.0, 1e6)[step % 2])
        )
    ]
    assert raised == []


def test_the_same_series_gives_the_same_answers_twice() -> None:
    vitals = tuple(read(SERIES / "echo_rnn.json"))
    assert judged(vitals) == judged(vitals)


def test_evidence_is_plain_json() -> None:
    for alarm in judged(tuple(read(SERIES / "echo_rnn.json"))):
        evidence = dataclasses.asdict(alarm.raised)["evidence"]
        assert json.loads(json.dumps(evidence)) == evidence


def test_synthetic_runs_a_sample() -> None:
    scores = scored(series(8))
    assert sum(score.runs for score in scores.values()) >= 190
    assert {kind: score.false for kind, score in scores.items() if score.false} == {}
    assert all(score.found >= 0.6 * score.ill for score in scores.values())


@pytest.mark.sweep
def test_synthetic_runs() -> None:
    scores = scored(series())
    healthy = [score for score in scores.values() if not score.ill]
    assert sum(score.runs for score in scores.values()) >= 2000
    assert sum(score.false for score in healthy) == 0
    assert sum(score.found for score in scores.values()) >= 0.95 * sum(score.ill for score in scores.values())


def test_what_the_calls_show_is_confirmed_at_once() -> None:
    alarms = Alarms()
    raised = Raised(kind=AlarmKind.LOOP, step=4, optimizer=0, message="m", evidence={"code": "GC650"})
    alarms.see(Vital(step=4, loss=1.0, grad_norm=1.0))
    alarms.know(raised)
    alarms.see(Vital(step=9, loss=1.0, grad_norm=1.0))
    (alarm,) = alarms.judged()
    assert (alarm.raised, alarm.outcome, alarm.finding, alarm.last_step) == (raised, Outcome.CONFIRMED, True, 9)


def test_a_fault_that_has_passed_is_no_finding_and_that_of_another_optimiser_stays() -> None:
    alarms = Alarms()
    for optimizer in (0, 1):
        evidence = {"code": "GC680", "since": 3}
        alarms.know(Raised(kind=AlarmKind.LOOP, step=3, optimizer=optimizer, message="", evidence=evidence))
    alarms.withdraw(Withdrawn(code="GC680", optimizer=1, step=16))
    stays, gone = alarms.judged()
    assert (stays.outcome, stays.finding) == (Outcome.CONFIRMED, True)
    assert (gone.outcome, gone.finding, gone.last_step) == (Outcome.RECOVERED, False, 16)


@pytest.mark.parametrize(("swing", "cause"), [(0.8, "unshuffled-batches"), (0.1, None)])
def test_a_jump_that_follows_the_order_of_the_data_is_the_datas(swing: float, cause: str | None) -> None:
    alarms = Alarms()
    for step in range(1, 61):
        alarms.see(Vital(step=step, optimizer_step=step, loss=50.0 if step == 50 else 1.0 + 0.1 * (step % 3)))
    alarms.sampled(Sample(step=60, blocks=0.9, swing=swing))
    (judged,) = alarms.judged()
    assert judged.raised.kind is AlarmKind.LOSS_SPIKE
    assert judged.raised.evidence.get("cause") == cause


def collapsing(skipped: int) -> list[Judged]:
    """A run that learned, a loss that leaves for good at step 61, and a scaler that skips every update from 65 on."""
    alarms = Alarms()
    for step in range(1, 65 + skipped):
        loss = 1.0 + 0.01 * (step % 5) if step < 61 else 900.0 * step
        vital = Vital(step=step, loss=loss, grad_norm=loss, scale=1024.0)
        if step >= 65:
            vital = dataclasses.replace(
                vital, loss=math.nan, finite=False, scale=1024.0 / 2 ** (step - 64), skipped=True
            )
        alarms.see(vital)
    return [each for each in alarms.judged() if each.raised.kind is AlarmKind.LOSS_SPIKE]


def test_a_spike_that_ends_in_a_loss_scale_that_collapses_is_confirmed() -> None:
    (spike,) = collapsing(60)
    assert (spike.raised.step, spike.outcome) == (61, Outcome.CONFIRMED)
    assert spike.told == "at step 74 the loss scale had collapsed, and no update was made any more"
    (spike,) = collapsing(5)
    assert spike.outcome is Outcome.OPEN


def test_an_alarm_holds_the_rise_of_the_rate_just_before_it_then_and_at_the_end() -> None:
    alarms = Alarms()
    raised = [
        each
        for step in range(1, 61)
        for each in alarms.see(
            Vital(step=step, loss=9.0 if step == 60 else 1.0 + 0.01 * (step % 3), rate=0.1 if step > 50 else 0.01)
        )
    ]
    (judged,) = alarms.judged()
    assert raised == [judged.raised]
    assert RateRise.of(judged.raised.evidence) == RateRise(first_step=50, first_rate=0.01, last_step=51, last_rate=0.1)
