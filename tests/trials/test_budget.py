"""How much may be tried: told in passes, with a clock only as a safety stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.trials.budget import Budget, OutOfBudget


@given(st.integers(0, 100), st.lists(st.integers(0, 60), max_size=8))
def test_no_more_is_taken_than_there_is(passes: int, asked: list[int]) -> None:
    budget, left = Budget(passes), passes
    for wanted in asked:
        assert budget.take(wanted) == (wanted <= left)
        left -= wanted if wanted <= left else 0
    assert not budget.struck


def test_what_must_be_had_is_an_error_where_it_is_not_left() -> None:
    budget = Budget(3)
    budget.spend(3)
    with pytest.raises(OutOfBudget):
        budget.spend(1)


def test_nothing_is_taken_once_the_clock_has_struck() -> None:
    budget = Budget(1000, clock=0.0)
    assert not budget.take(1)
    assert budget.struck


def test_why_nothing_more_is_tried_is_told() -> None:
    assert Budget(30).spent == "too large to try in 30 passes; --try-budget decides"
    struck = Budget(30, clock=0.0)
    struck.take(1)
    assert struck.spent == "the clock ended the trials after 0 s: another run may decide"
