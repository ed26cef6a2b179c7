import math

import pytest

from gradcheck_cli.watch import readbudget
from gradcheck_cli.watch.readbudget import LEAST, SLEEPLESS, SPARED, ReadBudget


def spent(
    budget: ReadBudget, *, share: float, step: float = 0.01, seconds: int = 60, before: float = 100.0
) -> ReadBudget:
    """So many seconds of steps, of whose own time watching takes a share; it had watched for some seconds before."""
    steps, watching, total = 0, before, 1000.0
    budget._watching, budget._total = watching, total
    for _ in range(seconds):
        steps += round(1.1 / step)
        watching += 1.1 * share
        total += 1.1 * (1 + share)
        budget.account(steps, watching, total)
    return budget


@pytest.mark.parametrize(("share", "every", "awake"), [(0.58 * 0.05, 1, 1), (0.6 * 0.05, 512, 512)])
def test_more_than_the_budget_makes_reading_rare(share: float, every: int, awake: int) -> None:
    """The watcher's own clock sees 10 of 17 parts of what watching takes."""
    budget = spent(ReadBudget(5.0), share=share)
    assert (budget.every, budget.awake) == (every, awake)


def test_a_short_step_may_cost_the_least_whatever_its_share() -> None:
    assert spent(ReadBudget(5.0), share=0.58 * LEAST / 0.0005, step=0.0005).every == 1
    assert spent(ReadBudget(5.0), share=0.6 * LEAST / 0.0005, step=0.0005).every == 512


def test_the_first_seconds_of_watching_are_spared() -> None:
    budget = ReadBudget(5.0)
    for second in range(1, 5):
        budget.account(100 * second, float(second), 2.0 * second)
    assert budget.every == 1
    budget.account(500, 5.0, 10.0)
    assert (budget.every, budget.awake) == (2, 1)


def test_nothing_is_slept_through_before_half_a_minute_was_watched() -> None:
    budget = spent(ReadBudget(5.0), share=0.2, seconds=100, before=SPARED)
    assert 1.1 * 0.2 * 100 + SPARED < SLEEPLESS and (budget.every, budget.awake) == (16, 1)
    budget = spent(ReadBudget(5.0), share=0.2, seconds=115, before=SPARED)
    assert (budget.every, budget.awake) == (16, 3), "two looks after that"


def test_all_is_read_again_where_it_is_cheap() -> None:
    budget = spent(ReadBudget(5.0), share=0.5)
    for second in range(1, 30):
        budget.account(100_000 + second * 10, 1000.0, 10_000.0 + 2 * second)
    assert (budget.every, budget.awake) == (1, 1)


def test_every_level_is_cheaper_than_the_one_before() -> None:
    whole, awake = zip(*readbudget._LEVELS, strict=True)
    assert list(whole) == sorted(whole) and list(awake) == sorted(awake)
    assert len(set(readbudget._LEVELS)) == len(readbudget._LEVELS)


def test_one_of_so_many_is_due() -> None:
    budget = ReadBudget(5.0)
    budget.every = 4
    assert [step for step in range(1, 13) if budget.is_due(step)] == [4, 8, 12]


def test_one_of_so_many_is_awake() -> None:
    budget = ReadBudget(5.0)
    assert all(map(budget.is_awake, range(1, 13)))
    budget.awake = 3
    assert [step for step in range(1, 13) if budget.is_awake(step)] == [3, 6, 9, 12]


def test_one_whose_updates_are_all_wanted_is_not_calm() -> None:
    budget = ReadBudget(5.0)
    assert not budget.is_calm(0)
    budget.learn(0, (1.0, 1.0), 0.1)
    budget.learn(1, None, 0.1)
    assert budget.is_calm(0) and not budget.is_calm(1)
    budget.learn(0, (1.0, 1.0), 0.0)
    assert not budget.is_calm(0)


@pytest.mark.parametrize(
    ("before", "now", "usual"),
    [
        (0.1, 0.1, True),
        (0.1, 0.11, True),
        (0.1, 0.09, True),
        (0.1, 0.2, False),
        (0.1, 0.05, False),
        (0.1, 0.0, False),
        (0.0, 0.0, False),
        (None, None, True),
        (None, 0.1, False),
        (0.1, None, False),
    ],
)
def test_a_rate_that_moves_is_not_usual(before: float | None, now: float | None, usual: bool) -> None:
    budget = ReadBudget(5.0)
    budget.learn(0, (1.0, 2.0), before)
    assert budget.is_usual(0, 0.5, 1.0, now) is usual


@pytest.mark.parametrize(
    ("loss", "norm", "usual"),
    [
        (1.0, 2.0, True),
        (-5.0, 0.0, True),
        (1.1, 1.0, False),
        (0.5, 2.1, False),
        (math.nan, 1.0, False),
        (1.0, math.nan, False),
        (-math.inf, 1.0, False),
        (1.0, math.inf, False),
        (None, 1.0, False),
        (1.0, None, False),
    ],
)
def test_what_is_usual(loss: float | None, norm: float | None, usual: bool) -> None:
    budget = ReadBudget(5.0)
    assert not budget.is_usual(0, 0.0, 0.0, 0.1), "nothing is known yet"
    budget.learn(0, (1.0, 2.0), 0.1)
    assert budget.is_usual(0, loss, norm, 0.1) is usual
    assert not budget.is_usual(1, 0.0, 0.0, 0.1), "of another optimiser nothing is"
    budget.learn(0, None, 0.1)
    assert not budget.is_usual(0, 0.0, 0.0, 0.1)
