"""When the loop is looked at closely: the updates for which it is, by their kinds."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from gradcheck_cli.watch.loop.inspection import AGAIN, FIRST, STRIDE, InspectionSchedule


def close(kinds: Iterable[Hashable]) -> list[int]:
    """The numbers, from 1, of the updates that are looked at closely."""
    attention = InspectionSchedule()
    found = []
    for number, kind in enumerate(kinds, start=1):
        if attention.close:
            found.append(number)
        began = attention.see(kind)
        assert not began or attention.close
    return found


def test_the_first_updates_and_then_now_and_then() -> None:
    looked = close("a" * (2 * STRIDE + AGAIN))
    assert looked == [
        *range(1, FIRST + 1),
        *range(STRIDE + 1, STRIDE + AGAIN + 1),
        *range(2 * STRIDE + 1, 2 * STRIDE + AGAIN + 1),
    ]


def test_a_step_of_a_new_kind_asks_for_it_and_one_that_was_there_does_not() -> None:
    kinds = ["a"] * 100 + ["b"] + ["a"] * 50 + ["b", "a"] * 50
    assert close(kinds) == [*range(1, FIRST + 1), *range(102, 102 + AGAIN)]


def test_a_step_of_a_new_kind_within_the_first_makes_them_more() -> None:
    assert close(["a"] * (FIRST - 1) + ["b"] * 100) == [*range(1, FIRST + AGAIN + 1)]


def test_where_each_step_is_another_only_so_many_are_told_apart() -> None:
    looked = close(range(STRIDE))
    assert FIRST <= len(looked) < 2 * FIRST
