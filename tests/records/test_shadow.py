"""What a copy ends at, held against the run."""

from __future__ import annotations

import math

import pytest

from gradcheck_cli.records.shadow import Shadowed

FALLS = tuple(2.0 * 0.5**i for i in range(8))
STAYS = (2.0,) * 8


@pytest.mark.parametrize(
    ("run", "copy", "far_below"),
    [
        (STAYS, FALLS, True),  # 0.02 against 2
        (FALLS, FALLS, False),
        (STAYS, (2.0,) * 6 + (1.0, 1.0), False),  # half is not below half
        (STAYS, (2.0,) * 6 + (0.99, 0.99), True),
        ((*STAYS[1:], math.inf), STAYS, True),
        ((*STAYS[1:], math.nan), (*STAYS[1:], math.nan), False),  # the batch did it
        (STAYS, (*FALLS[1:], math.nan), False),
        ((*STAYS[1:], -0.1), FALLS, False),  # a loss without a floor
    ],
)
def test_far_below_is_less_than_half_of_the_run(
    run: tuple[float, ...], copy: tuple[float, ...], far_below: bool
) -> None:
    assert Shadowed(run=run, copy=copy).far_below is far_below


def test_the_end_is_the_median_of_the_last_quarter() -> None:
    told = Shadowed(run=(9.0,) * 9 + (1.0, 5.0, 2.0), copy=(9.0,) * 9 + (math.inf, 1.0, 1.5))
    assert (told.run_ends, told.copy_ends) == (2.0, 1.5)


def test_where_no_copy_was_trained_nothing_is_said() -> None:
    assert not Shadowed(why="the parameters are updated by hand").far_below
