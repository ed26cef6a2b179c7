import math

import pytest

from gradcheck_cli.watch.readbudget import LEAST, ReadBudget


def spent(budget: ReadBudget, *, share: float, step: float = 0.01, seconds: int = 60) -> ReadBudget:
    """So many seconds of steps, of whose own time watching takes a share."""
    steps, watching, total = 0, 100.0, 1000.0
    budget.account(1, watching, total)
    budget.every = 1
    for _ in range(seconds):
        steps += round(1.1 / step)
        watching += 1.1 * share
        total += 1.1 * (1 + share)
        budget.account(steps, watching, total)
    return budget


@pytest.mark.parametrize(("share", "every"), [(0.04, 1), (0.06, 16)])
def test_more_than_the_budget_makes_reading_rare(share: float, every: int) -> None:
    assert spent(ReadBudget(5.0), share=share).every == every


def test_a_short_step_may_cost_the_least_whatever_its_share() -> None:
    assert spent(ReadBudget(5.0), share=0.9 * LEAST / 0.0005, step=0.0005).every == 1
    assert spent(ReadBudget(5.0), share=1.2 * LEAST / 0.0005, step=0.0005).every == 16


def test_the_first_seconds_of_watching_are_spared() -> None:
    budget = ReadBudget(5.0)
    for second in range(1, 5):
        budget.account(100 * second, float(second), 2.0 * second)
    assert budget.every == 1
    budget.account(500, 5.0, 10.0)
    assert budget.every == 2


def test_all_is_read_again_where_it_is_cheap() -> None:
    budget = spent(ReadBudget(5.0), share=0.5)
    assert budget.every == 16
    for second in range(1, 10):
        budget.account(100_000 + second * 10, 1000.0, 10_000.0 + 2 * second)
    assert budget.every == 1


def test_one_of_so_many_is_due() -> None:
    budget = ReadBudget(5.0)
    budget.every = 4
    assert [step for step in range(1, 13) if budget.is_due(step)] == [4, 8, 12]


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
