"""How often a sign must hold, and that a fault is told once."""

from __future__ import annotations

from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.watch.loop.facts import Facts, Holding
from gradcheck_cli.watch.loop.loopfaults import REST, STILL, LoopFaults
from gradcheck_cli.watch.loop.signs import LONG_ROW, ROW

LINE = SourceLine(file="train.py", line=7)


def told(facts: list[Facts]) -> list[tuple[int, str]]:
    """The step at which each fault is raised, and its code."""
    loop = LoopFaults()
    return [(each.step, found.code) for each in facts for found in loop.see(each)]


def test_a_fault_is_told_once_after_so_many_updates_in_a_row() -> None:
    facts = [Facts(step=n, own_step=n, leftover=int(n > 1)) for n in range(1, 30)]
    assert told(facts) == [(1 + ROW, "GC650")]


def test_the_step_at_which_it_began_is_told() -> None:
    loop = LoopFaults()
    found = [each for n in range(1, 9) for each in loop.see(Facts(step=n, own_step=n, leftover=int(n > 4)))]
    assert [(each.code, each.since) for each in found] == [("GC650", 5)]


def test_what_does_not_hold_in_a_row_is_nothing() -> None:
    assert told([Facts(step=n, own_step=n, leftover=n % 3) for n in range(1, 60)]) == []


def test_every_second_update_on_a_used_gradient_adds_up() -> None:
    assert told([Facts(step=n, own_step=n, again=n % 2 == 0) for n in range(1, 12)]) == [(2 * ROW, "GC653")]


def test_optimisers_are_judged_apart() -> None:
    facts = [Facts(step=n, optimizer=n % 2, own_step=n // 2 + 1, leftover=n % 2) for n in range(1, 20)]
    assert told(facts) == [(2 * ROW - 1, "GC650")]


def test_optimisers_that_follow_each_other_are_judged_together() -> None:
    facts = [Facts(step=n, optimizer=n, own_step=1, remade=n > 1, remembers=True) for n in range(1, 20)]
    assert told(facts)[0] == (1 + LONG_ROW, "GC666")


def test_a_rate_of_zero_is_a_fault_when_it_lasts_longer_than_the_others() -> None:
    def at(working: int, resting: int) -> list[Facts]:
        rates = [0.1] * working + [0.0] * resting
        return [Facts(step=n, own_step=n, rate=rate, rated=LINE) for n, rate in enumerate(rates, start=1)]

    assert told(at(50, 49)) == []
    assert told(at(50, 51)) == [(100, "GC672")]
    assert told(at(2, REST)) == [(2 + REST, "GC672")]
    assert told(at(1, REST - 1)) == []


def test_a_rate_that_comes_back_is_no_fault() -> None:
    rates = ([0.1] * 5 + [0.0] * 15) * 4
    assert told([Facts(step=n, own_step=n, rate=rate) for n, rate in enumerate(rates, start=1)]) == []


def _still(**changes: object) -> list[Facts]:
    usual: dict[str, object] = {"rate": 1e-6, "norm": 1.0, "stepped": LINE}
    made = ({**usual, **changes, "step": n, "own_step": n} for n in range(1, 20))
    return [Facts(moved=False if n > 1 else None, **each) for n, each in enumerate(made, start=1)]  # type: ignore[arg-type]


def test_updates_that_move_nothing_from_the_first_on() -> None:
    assert told(_still()) == [(STILL, "GC673")]
    assert told(_still(norm=0.0)) == [] == told(_still(skipped=True))


def test_once_anything_has_moved_standing_still_is_being_done() -> None:
    assert told([Facts(step=1, own_step=1, rate=0.1, norm=1.0), Facts(step=2, own_step=2, moved=True), *_still()]) == []


def test_what_another_fault_explains_is_not_told_beside_it() -> None:
    assert [code for _, code in told(_still(cleared=LINE))] == ["GC651"]


def test_what_is_held_is_told_at_once() -> None:
    facts = Facts(step=3, own_step=3, holding=Holding(held=4, reached=0, twins=4))
    assert told([facts, facts]) == [(3, "GC668")]
