"""Which layer moved before the loss did, in hand-written courses."""

from __future__ import annotations

import math
import random

import pytest

from gradcheck_cli.records.session import LayerSample, Process, Sample
from gradcheck_cli.records.timeline import AlarmKind, Raised, Vital
from gradcheck_cli.timeline.firstmover import Leader, leader, left

SPIKE = Raised(kind=AlarmKind.LOSS_SPIKE, step=60, optimizer=0, message="", evidence={})


def run(moves: dict[str, int], loss_moves: int = 60, size: float = 1e3, phase_at: int = 0, seed: int = 0) -> Process:
    """Three layers and a loss with noise; from such a step on each is so many times as large."""
    rng = random.Random(seed)

    def value(step: int, at: int) -> float:
        return math.exp(rng.gauss(0, 0.2)) * (size if step >= at else 1.0)

    steps = range(1, 61)
    layers = tuple(
        LayerSample(step=s, relative_gradient={n: 1e-3 * value(s, moves.get(n, 99)) for n in "abc"}) for s in steps
    )
    vitals = tuple(Vital(step=s, loss=value(s, loss_moves), phase=int(s >= phase_at)) for s in steps)
    return Process(pid=1, vitals=vitals, layers=layers)


def test_the_layer_that_left_first_leads() -> None:
    assert leader(run({"b": 54, "a": 57}), SPIKE) == Leader("b", "|g|/|w|", 54, 6)
    found = leader(run({"b": 59}), SPIKE)
    assert found is not None
    assert found.told == "`b` moved first: |g|/|w| left its course 1 step before the loss"


def test_a_gradient_that_ends_leads_too() -> None:
    assert leader(run({"c": 50}, size=1e-3), SPIKE) == Leader("c", "|g|/|w|", 50, 10)


@pytest.mark.parametrize("moves", [{}, {"a": 60}, {"a": 61}, {"a": 50, "b": 50}, {"a": 50, "b": 50, "c": 50}])
def test_nothing_is_said_where_nothing_led(moves: dict[str, int]) -> None:
    assert leader(run(moves), SPIKE) is None


def test_a_layer_that_came_back_did_not_lead() -> None:
    made = run({})
    spiked = [LayerSample(step=s.step, relative_gradient={**s.relative_gradient, "a": 1.0}) for s in made.layers]
    layers = tuple(spiked[i] if i in (48, 49) else sample for i, sample in enumerate(made.layers))
    assert leader(Process(pid=1, vitals=made.vitals, layers=layers), SPIKE) is None


def test_a_loss_that_had_left_before_is_what_a_layer_is_held_against() -> None:
    assert leader(run({"a": 52}, loss_moves=50), SPIKE) is None
    assert leader(run({"a": 48}, loss_moves=50), SPIKE) == Leader("a", "|g|/|w|", 48, 2)


def test_the_phase_before_is_another_run() -> None:
    assert leader(run({"b": 54}, phase_at=30), SPIKE) == Leader("b", "|g|/|w|", 54, 6)
    assert leader(run({"b": 54}, phase_at=40), SPIKE) is None  # too little is known of this one


def test_noise_has_no_leader() -> None:
    assert [leader(run({}, loss_moves=60, seed=seed), SPIKE) for seed in range(100)] == [None] * 100


def test_the_scale_of_an_output_leads_where_it_was_sampled() -> None:
    made = run({})
    rms = {s: {"a": 1.0, "b": 50.0 if s >= 58 else 1.0, "c": 1.0} for s in range(1, 60)}
    samples = tuple(Sample(step=s, output_rms=values) for s, values in rms.items())
    found = leader(Process(pid=1, vitals=made.vitals, layers=made.layers, samples=samples), SPIKE)
    assert found == Leader("b", "the scale of its output", 58, 2)


def test_a_course_that_ends_inside_of_its_band_has_not_left() -> None:
    flat = [(step, 0.0) for step in range(40)]
    assert left(flat, lambda window: 0.1) is None
    assert left([*flat, (40, 2.0), (41, 2.0)], lambda window: 0.1) == 40
    assert left([*flat, (40, 2.0), (41, 0.1)], lambda window: 0.1) is None
    assert left(flat[:10], lambda window: 0.1) is None
