"""A loss scale over a run, in hand-written updates."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Vital
from gradcheck_cli.watch.lossscale import Scaling


def judged(skips: Iterable[bool], scale: float = 2.0**16) -> dict[AlarmKind, Judged]:
    scaling = Scaling()
    for step, skipped in enumerate(skips, 1):
        scaling.see(Vital(step=step, scale=scale, skipped=skipped, finite=not skipped))
        scale /= 2 if skipped else 1
    return {each.raised.kind: each for each in scaling.judged()}


def test_a_scale_that_settles_is_a_note() -> None:
    (overflow,) = judged([True, True, *[False] * 10]).values()
    assert (overflow.raised.kind, overflow.raised.step, overflow.last_step) == (AlarmKind.OVERFLOW, 1, 2)
    assert (overflow.outcome, overflow.finding) == (Outcome.RECOVERED, False)
    assert overflow.told == "2 of 12 updates were skipped, the last at a loss scale of 32,768"


def test_it_is_raised_once() -> None:
    scaling = Scaling()
    raised = [
        each.kind
        for step in range(1, 60)
        for each in scaling.see(Vital(step=step, scale=2.0 ** (16 - step), skipped=True))
    ]
    assert raised == [AlarmKind.OVERFLOW, AlarmKind.SCALE_COLLAPSE]


def test_a_high_start_that_takes_twelve_steps_down_recovers() -> None:
    seen = judged([True] * 12 + [False] * 20, scale=2.0**24)
    assert {kind: each.outcome for kind, each in seen.items()} == {
        AlarmKind.OVERFLOW: Outcome.RECOVERED,
        AlarmKind.SCALE_COLLAPSE: Outcome.RECOVERED,
    }


def test_a_scale_below_one_that_is_still_falling_is_confirmed() -> None:
    seen = judged([False] * 20 + [True] * 18)
    assert seen[AlarmKind.SCALE_COLLAPSE].outcome is Outcome.CONFIRMED
    assert seen[AlarmKind.SCALE_COLLAPSE].finding
    assert seen[AlarmKind.OVERFLOW].outcome is Outcome.OPEN and not seen[AlarmKind.OVERFLOW].finding


def test_a_scale_that_sinks_with_updates_in_between_is_confirmed() -> None:
    seen = judged([True, False, False] * 30)
    assert seen[AlarmKind.SCALE_COLLAPSE].outcome is Outcome.CONFIRMED


def test_a_scale_below_one_that_has_settled_recovers() -> None:
    seen = judged([True] * 18 + [False] * 200)
    assert seen[AlarmKind.SCALE_COLLAPSE].outcome is Outcome.RECOVERED


def test_skips_without_a_known_scale_are_confirmed_when_they_never_end() -> None:
    scaling = Scaling()
    for step in range(1, 51):
        scaling.see(Vital(step=step, skipped=True))
    collapse = scaling.judged()[1]
    assert (collapse.raised.kind, collapse.outcome) == (AlarmKind.SCALE_COLLAPSE, Outcome.CONFIRMED)
    assert collapse.told == "50 of 50 updates were skipped"


def regrowing(interval: int, times: int) -> list[bool]:
    """A scale that doubles into overflow after so many updates."""
    return [True, True, *([*[False] * interval, True] * times)]


def test_a_scale_that_grows_back_into_overflow_again_and_again_is_confirmed() -> None:
    scaling = Scaling()
    scale = 2.0**18
    raised = []
    for step, skipped in enumerate(regrowing(4, 40), 1):
        raised += scaling.see(Vital(step=step, scale=scale, skipped=skipped, finite=not skipped))
        scale = scale / 2 if skipped else scale * (2 if step % 5 == 1 else 1)
    first, again = raised
    assert (first.step, again.step, again.evidence["again"]) == (1, 27, 5)
    assert again.message == (
        "the loss scale grows back into overflow: 5 times within 21 updates, each of which skips one"
    )
    outcomes = {each.raised.step: (each.outcome, each.finding) for each in scaling.judged()}
    assert outcomes[27] == (Outcome.CONFIRMED, True)
    for step in range(300, 360):
        scaling.see(Vital(step=step, scale=2.0**16))
    assert {each.raised.step: each.outcome for each in scaling.judged()}[27] is Outcome.RECOVERED


@pytest.mark.parametrize("interval", [11, 20, 2000])
def test_a_scale_that_grows_now_and_then_is_its_work(interval: int) -> None:
    seen = judged(regrowing(interval, 10), scale=2.0**24)
    assert not seen[AlarmKind.OVERFLOW].finding and "again" not in seen[AlarmKind.OVERFLOW].raised.evidence
