"""A loss scale over a run, in hand-written updates."""

from __future__ import annotations

from collections.abc import Iterable

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
    assert overflow.told == "2 of 12 updates were skipped, the last at a loss scale of 32768"


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
