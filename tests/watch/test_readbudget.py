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


def test_one_of_so_many_is_read_whole_of_each_optimizer_in_turn() -> None:
    budget = ReadBudget(5.0)
    budget.every = 4
    assert [step for step in range(1, 13) if not budget.is_light(step, 1)] == [4, 8, 12]
    assert [step for step in range(1, 25) if not budget.is_light(step, 2)] == [1, 8, 9, 16, 17, 24]
    budget.learn(0, (1.0, 1.0))
    assert budget.is_light(5, 1)
    budget.learn(1, None)
    assert not budget.is_light(5, 1), "each update of one that is not calm may be of weight"


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
    assert not budget.is_usual(0, 0.0, 0.0), "nothing is known yet"
    budget.learn(0, (1.0, 2.0))
    assert budget.is_usual(0, loss, norm) is usual
    assert not budget.is_usual(1, 0.0, 0.0), "of another optimiser nothing is"
    budget.learn(0, None)
    assert not budget.is_usual(0, 0.0, 0.0)
