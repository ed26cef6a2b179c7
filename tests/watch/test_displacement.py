"""Weights that the first updates throw off, in runs that learn nothing since, and in runs that do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Vital
from gradcheck_cli.watch.alarms import Alarms
from gradcheck_cli.watch.displacement import WeightDisplacement


def run(loss: Callable[[int], float], weight: Callable[[int], float], updates: int = 60) -> WeightDisplacement:
    """One that is sampled at the first update and at every eighth."""
    thrown = WeightDisplacement()
    for n in range(1, updates + 1):
        thrown.see(Vital(step=n, optimizer=0, optimizer_step=n, loss=loss(n), grad_norm=1.0))
        if n == 1 or n % 8 == 0:
            thrown.sampled(Sample(step=n, weight=weight(n)))
    return thrown


def far(n: int) -> float:
    return 5.0 if n == 1 else 500.0


def test_a_run_of_sixty_updates_that_is_thrown_and_stands_is_told() -> None:
    told = run(lambda n: 1.6 if n == 1 else 1.7, far).told
    assert "weights 1e+02 times as large" in told
    assert "at 1.7, from 1.6" in told


def test_after_an_explosion_the_run_has_to_have_learned_beyond_doubt() -> None:
    def burst(end: float) -> Callable[[int], float]:
        return lambda n: 1.6 if n == 1 else 1e5 if n < 5 else end

    assert run(burst(1.2), far).told
    assert not run(burst(1.0), far).told
    assert not run(lambda n: 1.6 if n == 1 else 1.2, far).told


@pytest.mark.parametrize(
    "thrown",
    [
        pytest.param(run(lambda n: 1.6 * 0.95**n, far), id="it learns"),
        pytest.param(run(lambda n: 1.6, lambda n: 5.0), id="the weights are as they were"),
        pytest.param(run(lambda n: 1.6, far, updates=16), id="too short"),
        pytest.param(run(lambda n: -1.6, far), id="a loss below 0"),
        pytest.param(run(lambda n: 1.6, lambda n: 0.0 if n == 1 else 3.0), id="weights that begin at 0"),
        pytest.param(run(lambda n: 1.6, lambda n: 5.0 * max(1, n / 20), updates=300), id="they grow over time"),
    ],
)
def test_what_looks_like_it_is_not_told(thrown: WeightDisplacement) -> None:
    assert thrown.told == ""


def judged(loss: Callable[[int], float]) -> list[Judged]:
    alarms = Alarms()
    for n in range(1, 61):
        alarms.see(Vital(step=n, optimizer=0, optimizer_step=n, loss=loss(n), grad_norm=1.0))
        if n == 1 or n % 8 == 0:
            alarms.sampled(Sample(step=n, weight=far(n)))
    return [each for each in alarms.judged() if each.raised.kind is AlarmKind.STUCK]


def test_it_is_an_alarm_that_stands_to_the_end_or_is_taken_back() -> None:
    (stands,) = judged(lambda n: 1.6 if n == 1 else 1.7)
    assert (stands.outcome, stands.raised.step) == (Outcome.CONFIRMED, ALARMING.warm_up)
    assert stands.raised.evidence["cause"] == "lr-too-high"
    (back,) = judged(lambda n: 1.6 if n == 1 else 1.7 if n < 30 else 0.2)
    assert back.outcome is Outcome.RECOVERED
