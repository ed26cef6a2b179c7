"""An attribute that is computed once."""

from __future__ import annotations

from gradcheck_cli.watch.once import once


class Counting:
    asked = 0

    @once
    def answer(self) -> int:
        """What is asked for."""
        self.asked += 1
        return 42


def test_it_is_computed_when_it_is_asked_for_first_and_never_again() -> None:
    one, other = Counting(), Counting()
    assert (one.asked, one.answer, one.answer, one.asked, other.asked) == (0, 42, 42, 1, 0)


def test_it_can_be_given() -> None:
    one = Counting()
    one.answer = 7  # type: ignore[assignment]
    assert (one.answer, one.asked) == (7, 0)
