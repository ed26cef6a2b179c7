"""Runs that do not learn: confirmed where something says why, and never else."""

from __future__ import annotations

import random

import pytest

from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Vital
from gradcheck_cli.watch.alarms import Alarms
from gradcheck_cli.watch.stalls import StallDetector, against, grown_in, raised_share
from tests.watch.standing_runs import Stood, constant, fed, ill, well
from tests.watch.synthetic import is_finding

SLOW = {
    AlarmKind.STUCK, AlarmKind.SWINGING, AlarmKind.COLLAPSE, AlarmKind.SATURATING, AlarmKind.DEAD_GROWING,
}  # fmt: skip


def false_ones(seeds: int) -> list[str]:
    found = []
    for seed in range(seeds):
        rng = random.Random(f"well {seed}")
        for run in well(rng):
            alarms = [each for each in fed(run, rng) if each.raised.kind in SLOW]
            found += [f"{run.kind}: {each}" for each in alarms if is_finding(each)]
    return found


def missed(seeds: int) -> list[str]:
    found = []
    for seed in range(seeds):
        rng = random.Random(f"ill {seed}")
        for run in ill(rng):
            assert run.ill is not None
            alarms = [each for each in fed(run, rng) if each.outcome is Outcome.CONFIRMED]
            said = {(each.raised.kind, each.raised.evidence.get("cause", "")) for each in alarms}
            kinds = {run.ill[0], AlarmKind.STUCK}  # what comes to light later stays what it was raised as
            if not any(kind in kinds and cause == run.ill[1] for kind, cause in said):
                found.append(f"{run.kind} of {run.updates}: {said}")
    return found


def test_what_is_well_or_of_which_nothing_is_known_is_no_finding() -> None:
    assert false_ones(6) == []


def test_what_is_ill_is_found_with_its_kind_and_cause() -> None:
    assert missed(8) == []


@pytest.mark.sweep
def test_thousands_of_runs() -> None:
    assert false_ones(120) == []
    assert len(missed(120)) <= 8  # of 1080: noise may look like progress


def stood(run: Stood) -> tuple[AlarmKind, Outcome, str]:
    (alarm,) = fed(run, random.Random(1))
    return alarm.raised.kind, alarm.outcome, alarm.told


def test_dropout_that_hides_what_was_learned_is_told() -> None:
    run = Stood(kind="", updates=300, ratio=constant(1.0), undropped=constant(0.4))
    (judged,) = fed(run, random.Random(0))
    assert (judged.raised.kind, judged.outcome) == (AlarmKind.STUCK, Outcome.RECOVERED)
    assert judged.told.endswith("and 0.4 times with dropout off: the rest is dropout's noise")


def test_dropout_that_costs_more_than_knowing_nothing_is_told_early_and_stands() -> None:
    run = Stood(kind="", updates=80, ratio=constant(1.5), undropped=constant(1.0))
    (judged,) = fed(run, random.Random(0))
    assert (judged.raised.kind, judged.outcome) == (AlarmKind.STUCK, Outcome.CONFIRMED)
    assert judged.raised.evidence["cause"] == "dropout-too-high"
    assert judged.raised.step <= 66


@pytest.mark.parametrize(
    "run",
    [
        Stood(kind="", updates=80, ratio=constant(1.05), undropped=constant(1.0)),
        Stood(kind="", updates=80, ratio=constant(1.5), undropped=constant(0.8)),
        Stood(kind="", updates=80, ratio=constant(1.5)),
        Stood(kind="", updates=300, ratio=lambda at: 1.5 - at, undropped=lambda at: 1.0 - 0.6 * at),
    ],
    ids=["the masks cost little", "it learns beneath them", "no dropout", "it learns in time"],
)
def test_dropout_that_looks_like_it_is_no_finding(run: Stood) -> None:
    assert not any(map(is_finding, fed(run, random.Random(0))))


def in_order(*, blocks: float | None = None, swing: float | None = None, taken_back: int = 0) -> Judged:
    alarms = Alarms()
    for step in range(1, 201):
        alarms.see(Vital(step=step, optimizer_step=step, loss=1.0, grad_norm=1.0))
        if step % 20 == 0:
            read = Sample(step=step, loss=1.0, chance=1.0, blocks=blocks, swing=swing, taken_back=taken_back)
            alarms.sampled(read)
    (judged,) = alarms.judged()
    return judged


def test_a_loss_at_chance_that_swings_with_blocks_of_the_data_has_them_as_its_reason() -> None:
    told = in_order(blocks=0.9, swing=0.8)
    assert (told.outcome, told.raised.evidence["cause"]) == (Outcome.CONFIRMED, "unshuffled-batches")
    assert "90% of the spread of the targets lies between them" in told.raised.message
    for looks in (in_order(blocks=0.9, swing=0.2), in_order(blocks=0.1, swing=0.8)):
        assert (looks.outcome, "cause" in looks.raised.evidence) == (Outcome.OPEN, False)


def test_a_loss_at_chance_whose_weights_are_moved_back_has_that_as_its_reason() -> None:
    told = in_order(taken_back=5)
    assert (told.outcome, told.raised.evidence["cause"]) == (Outcome.CONFIRMED, "call-order")
    assert "5 times something but the optimiser took back" in told.raised.message
    assert in_order(taken_back=2).outcome is Outcome.OPEN


def test_a_run_at_chance_for_no_known_reason_is_open_and_says_so() -> None:
    kind, outcome, told = stood(Stood(kind="", updates=300, ratio=constant(1.0), noise=0.0))
    assert (kind, outcome) == (AlarmKind.STUCK, Outcome.OPEN)
    assert told.startswith("at the end the loss is that of one answer for every sample; nothing says why")


def test_a_run_that_learns_after_the_alarm_has_recovered() -> None:
    run = Stood(kind="", updates=600, ratio=lambda at: 1.0 if at < 0.4 else 0.2, noise=0.0)
    assert stood(run)[:2] == (AlarmKind.STUCK, Outcome.RECOVERED)


def test_what_was_learned_before_the_script_changed_itself_is_another_matter() -> None:
    standing = StallDetector()
    for step in range(1, 151):
        standing.see(Vital(step=step, loss=1.0, grad_norm=1.0))
        if step in (20, 50, 100, 150):
            standing.sampled(Sample(step=step, loss=1.0, chance=1.0))
    assert standing.judged(game=False)[0].outcome is Outcome.OPEN
    standing.see(Vital(step=151, loss=1.0, grad_norm=1.0, phase=1))
    assert "trains something else" in standing.judged(game=False)[0].told


def test_a_gradient_that_comes_later_ends_the_alarm() -> None:
    standing = StallDetector()
    raised = [standing.see(Vital(step=step, loss=0.7, grad_norm=0.0)) for step in range(1, 21)]
    assert raised[:-1] == [None] * 19
    assert raised[-1] is not None and raised[-1].evidence["cause"] == "update-moves-nothing"
    assert standing.judged(game=False)[0].outcome is Outcome.CONFIRMED
    standing.see(Vital(step=21, loss=0.7, grad_norm=0.1))
    assert standing.judged(game=False)[0].outcome is Outcome.RECOVERED


def test_a_loss_of_0_is_no_alarm() -> None:
    standing = StallDetector()
    assert [standing.see(Vital(step=step, loss=0.0, grad_norm=0.0)) for step in range(1, 200)] == [None] * 199


def test_the_median_counts() -> None:
    assert against([Sample(step=i, loss=float(i), chance=2.0) for i in (1, 2, 9)]) == 1.0


def test_a_share_of_updates_that_raise_their_own_batch_is_taken_of_eight_at_least() -> None:
    up, down = Sample(step=1, loss=1.0, after=1.2), Sample(step=1, loss=1.0, after=1.005)
    assert raised_share([up] * 7) is None
    assert raised_share([up] * 2 + [down] * 6) == 0.25
    assert raised_share([Sample(step=1, loss=1.0, after=float("nan"))] * 8) == 1.0


def test_a_layer_has_grown_dead_if_it_was_not_and_is_in_all_of_the_window() -> None:
    assert grown_in({"a": 0.2}, [{"a": 0.96}, {"a": 0.99}]) == ("a", 0.99, 0.2)
    assert grown_in({"a": 0.6}, [{"a": 1.0}]) is None
    assert grown_in({"a": 0.2}, [{"a": 1.0}, {"a": 0.5}]) is None
    assert grown_in({}, [{"a": 1.0}]) is None
