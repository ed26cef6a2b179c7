"""Where a run itself changes, its statistics start anew."""

from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.watch.phases import LR_JUMP, Phases


def phases(rates: list[tuple[float, ...]], what: object = None) -> list[int]:
    made = Phases()
    return [made.of(0, what, each) for each in rates]


def test_the_first_phase_is_zero_and_a_constant_rate_stays_in_it() -> None:
    assert phases([(0.1,)] * 5) == [0] * 5


def test_a_cosine_schedule_with_restarts_has_a_phase_a_cycle() -> None:
    rates = [(0.5 * (1 + math.cos(math.pi * (step % 10) / 10)) + 1e-3,) for step in range(30)]
    assert phases(rates) == [step // 10 for step in range(30)]


def test_a_warm_up_by_less_than_twice_a_step_and_a_decay_are_no_phases() -> None:
    assert phases([(1e-6 * 1.9**step,) for step in range(20)]) == [0] * 20
    assert phases([(0.1**step,) for step in range(20)]) == [0] * 20


def test_a_linear_warm_up_counts_its_first_two_steps_alone() -> None:
    assert phases([(0.01 * step,) for step in range(6)]) == [0, 0, 0, 0, 0, 0]
    assert phases([(0.01 * step,) for step in range(1, 6)]) == [0] * 5


def test_one_group_of_several_is_enough() -> None:
    assert phases([(0.1, 0.1), (0.1, 0.3), (0.1, 0.3)]) == [0, 1, 1]


def test_each_optimiser_has_phases_of_its_own() -> None:
    made = Phases()
    assert [made.of(optimizer, None, (rate,)) for optimizer, rate in ((0, 0.1), (1, 1.0), (0, 0.1), (1, 3.0))] == [
        0,
        0,
        0,
        1,
    ]
    assert made.of(0, None, (0.1,)) == 0


def test_another_loss_or_other_parameters_begin_a_phase_and_so_does_the_way_back() -> None:
    made = Phases()
    assert [made.of(0, what, ()) for what in ("a", "a", "b", "b", "a")] == [0, 0, 1, 1, 2]


@given(st.lists(st.floats(1e-6, 10), min_size=1, max_size=20))
def test_the_number_of_phases_is_that_of_the_jumps(rates: list[float]) -> None:
    jumps = sum(now > LR_JUMP * then for then, now in itertools.pairwise(rates))
    assert phases([(rate,) for rate in rates])[-1] == jumps
