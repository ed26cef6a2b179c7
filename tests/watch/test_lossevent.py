"""An event from the level before it to what became of it, in hand-written losses."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Raised
from gradcheck_cli.watch.lossevent import Before, LossEvent

BEFORE = Before(updates=40, level=1.0, sigma=0.05, start=3.0, largest=3.0, norm=1.0, burst=3.0)
RAISED = Raised(kind=AlarmKind.LOSS_SPIKE, step=41, optimizer=0, message="", evidence={})


def event(before: Before | None = BEFORE, *, slow: bool = False) -> LossEvent:
    made = LossEvent(AlarmKind.LOSS_SPIKE, 41, before, slow=slow)
    made.raised = RAISED
    return made


def judged(losses: Sequence[float], *, norms: Sequence[float] = (), game: bool = False, slow: bool = False) -> Judged:
    one, seen = event(slow=slow), [1.0] * 25
    for step, loss in enumerate(losses, 41):
        seen.append(loss)
        norm = norms[step - 41] if norms else None
        if not one.done:
            one.see(step, norm, seen[-25:])
    return one.judged(seen[-25:], game=game)


def test_what_comes_back_is_recovered() -> None:
    alarm = judged([9.0, 4.0, 2.0, *[1.05] * 20])
    assert (alarm.outcome, alarm.finding, alarm.last_step) == (Outcome.RECOVERED, False, 50)
    assert alarm.told == "the loss was back at its level from before, 1, within 9 steps"


def test_what_stays_away_is_confirmed() -> None:
    alarm = judged([9.0, 4.0, *[2.6] * 60])
    assert (alarm.outcome, alarm.finding, alarm.last_step) == (Outcome.CONFIRMED, True, 102)
    assert alarm.told == "61 updates later the loss is at 2.6, from 1 before"


@pytest.mark.parametrize("losses", [[9.0] * 3, [2.6] * 12, [2.6] * 39])
def test_what_ends_before_the_run_could_come_back_is_open(losses: list[float]) -> None:
    alarm = judged(losses)
    assert (alarm.outcome, alarm.finding) == (Outcome.OPEN, False)


def test_what_ends_far_beyond_anything_before_is_open_with_a_finding() -> None:
    alarm = judged([500.0] * 20)
    assert (alarm.outcome, alarm.finding) == (Outcome.OPEN, True)


def test_what_was_half_learned_again_is_on_its_way() -> None:
    alarm = judged([3.0 - 0.02 * i for i in range(80)])
    assert (alarm.outcome, alarm.finding) == (Outcome.OPEN, False)
    assert alarm.told.endswith("it was coming down")


def test_less_than_half_of_what_was_learned_is_no_finding_without_a_burst_of_the_norm() -> None:
    losses = [1.6] * 80
    assert judged(losses).outcome is Outcome.OPEN
    assert judged(losses, norms=[2.0] * 80).outcome is Outcome.OPEN
    assert judged(losses, norms=[20.0] * 80).outcome is Outcome.OPEN, "harder data raise the norm for good"
    assert judged(losses, norms=[20.0, 20.0, *[1.0] * 78]).outcome is Outcome.CONFIRMED


def test_a_loss_of_one_player_or_a_slow_climb_is_open() -> None:
    assert judged([2.6] * 80, game=True).outcome is Outcome.OPEN
    assert judged([2.6] * 80, slow=True).outcome is Outcome.OPEN
    assert judged([500.0] * 80, game=True).outcome is Outcome.CONFIRMED


def test_a_climb_that_came_after_the_event_is_not_its_work() -> None:
    alarm = judged([1.3 + 0.02 * max(i - 30, 0) for i in range(120)])
    assert alarm.outcome is Outcome.OPEN
    assert alarm.told.endswith("as rewards do")


def test_growth_beyond_the_rounding_of_float32_is_for_good() -> None:
    alarm = judged([1e12] * 20 + [0.9] * 60)
    assert alarm.outcome is Outcome.CONFIRMED
    assert alarm.told.startswith("the loss grew to 1e+12")


def test_what_breaks_before_it_came_back_is_confirmed() -> None:
    one = event()
    one.see(41, None, [1.0] * 24 + [9.0])
    one.broke(44, [9.0], game=False)
    alarm = one.judged([], game=False)
    assert (alarm.outcome, alarm.last_step, one.done) == (Outcome.CONFIRMED, 44, True)


def test_what_had_passed_is_not_to_blame_for_what_breaks() -> None:
    one = event()
    one.see(41, None, [1.0] * 24 + [9.0])
    one.see(42, None, [1.0] * 23 + [9.0, 1.0])
    one.broke(43, [1.0], game=False)
    assert one.judged([1.0], game=False).outcome is Outcome.RECOVERED


def test_without_a_loss_nothing_says_what_came_of_it() -> None:
    one = event(None)
    one.see(41, 5.0, [])
    assert one.judged([], game=False).outcome is Outcome.OPEN


def test_when_the_statistics_start_anew_the_verdict_stands_unless_the_run_comes_back() -> None:
    one, seen = event(), [1.0] * 25
    for step in range(41, 101):
        seen.append(2.6)
        one.see(step, None, seen[-25:])
    one.fix(seen[-25:], game=False)
    assert one.judged([0.1], game=False).outcome is Outcome.CONFIRMED
    for step in range(101, 111):
        one.see(step, None, [0.9] * 10)
    assert one.judged([0.9], game=False).outcome is Outcome.RECOVERED
