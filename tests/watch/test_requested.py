"""Which steps were asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.timeline import Vital, Why
from gradcheck_cli.watch.requested import RequestedSteps


def asked(**options: object) -> RequestedSteps:
    return RequestedSteps(RunOptions(command=("train.py",), **options))  # type: ignore[arg-type]


def at(step: int, optimizer: int = 0, own: int | None = None) -> Vital:
    return Vital(step=step, optimizer=optimizer, optimizer_step=own or step)


def test_the_first_step_is_asked_for_unless_it_is_not_wanted() -> None:
    assert [asked().why(at(step)) for step in (1, 2)] == [Why.FIRST, None]
    assert asked(first=False).why(at(1)) is None


def test_a_step_by_its_number_over_all_optimisers() -> None:
    found = asked(at=("3", "7"), first=False)
    assert [step for step in range(1, 10) if found.why(at(step, step % 2, 99)) is Why.AT] == [3, 7]


def test_a_step_by_the_number_of_one_optimiser() -> None:
    found = asked(at=("1:4",), first=False)
    assert found.why(at(4, 0, 4)) is None
    assert found.why(at(9, 1, 4)) is Why.AT
    assert found.why(at(4, 1, 2)) is None


def test_what_is_asked_for_twice_is_told_by_what_ends_the_run() -> None:
    assert asked(at=("1",)).why(at(1)) is Why.AT
    assert asked(at=("1",), steps=1).why(at(1)) is Why.STEPS


@given(st.integers(1, 50), st.integers(1, 60))
def test_a_run_is_over_from_its_last_step_on(last: int, step: int) -> None:
    assert asked(steps=last).is_over(at(step)) is (step >= last)
    assert not asked().is_over(at(step))
