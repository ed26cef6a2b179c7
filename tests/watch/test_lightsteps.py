from typing import Any

import pytest
import torch
from torch import nn

from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.watch.attempts import Attempt, Updates
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.diagnosing import Seen
from gradcheck_cli.watch.lightsteps import Glanced, LightSteps
from gradcheck_cli.watch.readbudget import ReadBudget
from gradcheck_cli.watch.tape import Tape
from gradcheck_cli.watch.vitals import Norms
from tests.watch.running import Verifier


class Loop:
    """Updates of one optimiser as the watcher goes through them; what is told of them, in order."""

    def __init__(self, every: int = 8, awake: int = 1, **options: Any) -> None:
        self.told: list[tuple[str, int, int]] = []
        self.tape, self.updates, self.budget = Tape(Verifier(0)), Updates(self), ReadBudget(5.0)  # type: ignore[arg-type]
        self.budget.every, self.budget.awake = every, awake
        self.budget.learn(0, (2.0, 3.0), 0.1)
        asked = RunOptions(command=("train.py",), **options)
        self.light = LightSteps(self, asked, self.tape, self.updates, self.budget)
        self.model = nn.Linear(2, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def glanced(self, attempt: Attempt, passes: int) -> None:
        self.told.append(("glanced", attempt.own_step, passes))

    def slept(self, attempt: Attempt, updates: int, passes: int) -> None:
        self.told.append(("slept", attempt.own_step, updates))

    def attempt(self, own_step: int, **given: Any) -> Attempt:
        return Attempt(self.optimizer, 0, own_step, None, **given)

    def seen(self, why: str = "") -> Seen:
        backward = Backward("backward", None, None)
        backward.why, backward.entries, backward.parameters = why, [], list(self.model.parameters())
        return Seen(backward, 1.0, Norms((), ()), 1.0)

    def begin(self, own_step: int, seen: list[Seen] | None = None) -> None:
        """The update of that number has been made, and was read whole."""
        self.light.expect([self.seen()] if seen is None else seen, lambda: list(self.model.parameters()))
        self.light.begin(self.attempt(own_step), own_step + 1)

    def make(self, own_step: int) -> str:
        """The next update, whose numbers are as usual where they are asked for."""
        attempt = self.attempt(own_step)
        if self.tape.asleep:
            assert self.light.is_enough(attempt)
        elif not self.light.glance(attempt, 1.0, 2.0, 1):
            return "whole"
        else:
            self.light._has_passed = True
        if self.light.goes_on(attempt):
            return "asleep"
        if not self.light.ends(attempt):
            return "last"
        self.light.begin(attempt, own_step + 1)
        return "light"


def test_light_steps_are_noted_until_one_is_due() -> None:
    loop = Loop()
    assert not loop.light.on and loop.tape.draft is None
    loop.begin(8)
    assert loop.light.on and loop.tape.draft is not None and not loop.tape.asleep
    assert [loop.make(step) for step in range(9, 16)] == ["light"] * 6 + ["last"]
    assert loop.told == [("glanced", step, 1) for step in range(9, 16)]
    assert loop.light.passed == 6 and loop.budget.glanced == 7
    assert loop.light.last == Glanced(0, 15, 1.0, 2.0)


def test_of_the_others_one_in_so_many_is_awake() -> None:
    loop = Loop(every=16, awake=4)
    loop.begin(16)
    made = [loop.make(step) for step in range(17, 25)]
    assert made == ["asleep", "asleep", "light", "light"] * 2
    assert loop.told == [("slept", 19, 3), ("glanced", 20, 1), ("slept", 23, 3), ("glanced", 24, 1)]
    assert (loop.budget.slept, loop.budget.glanced, loop.light.passed) == (6, 2, 2)
    assert loop.light.read() == 0, "the last one was awake"
    loop.make(25)
    loop.light.wake()
    assert loop.told[-1] == ("slept", 25, 1) and loop.light.read() == 1 and loop.light.read() == 0


def test_what_is_known_of_the_last_is_as_of_the_last() -> None:
    loop = Loop(every=16, awake=4)
    loop.begin(16)
    for step in range(17, 23):
        loop.make(step)
    loop.light.wake()
    assert loop.light.last == Glanced(0, 22, 1.0, 2.0)


def test_sleep_ends_where_one_is_due() -> None:
    loop = Loop(every=6, awake=4)
    loop.begin(12)
    assert [loop.make(step) for step in range(13, 18)] == ["asleep", "asleep", "light", "light", "last"]
    assert loop.told == [("slept", 15, 3), ("glanced", 16, 1), ("slept", 17, 1)]


def test_a_step_that_was_asked_for_is_awake_and_not_only_glanced_at() -> None:
    loop = Loop(every=64, awake=16, at=("70",))
    loop.begin(64)
    assert [loop.make(step) for step in range(65, 71)] == ["asleep"] * 4 + ["light", "whole"]


@pytest.mark.parametrize("options", [{"snapshot": 10}])
def test_with_snapshots_nothing_is_slept_through(options: dict[str, Any]) -> None:
    loop = Loop(every=64, awake=16, **options)
    loop.begin(64)
    assert [loop.make(step) for step in range(65, 68)] == ["light"] * 3


def test_what_may_be_light_next() -> None:
    loop = Loop()
    assert loop.light.may_follow(loop.attempt(8), is_close=False)
    assert not loop.light.may_follow(loop.attempt(8), is_close=True)
    assert not loop.light.may_follow(loop.attempt(7), is_close=False), "the next one is due"
    assert not loop.light.may_follow(loop.attempt(8, closure=True), is_close=False)
    assert not Loop(every=8, shadow=True).light.may_follow(loop.attempt(8), is_close=False)
    loop.budget.learn(0, None, 0.1)
    assert not loop.light.may_follow(loop.attempt(8), is_close=False)


def test_what_is_unusual_is_not_enough() -> None:
    loop = Loop()
    loop.begin(8)
    assert not loop.light.glance(loop.attempt(9), 2.5, 1.0, 1)
    assert not loop.light.glance(loop.attempt(9), None, 1.0, 1)
    assert not loop.light.glance(loop.attempt(16), 1.0, 1.0, 1), "it is due"
    assert not loop.told and loop.light.last is None


def test_another_optimiser_ends_it() -> None:
    loop = Loop(every=16, awake=4)
    loop.begin(16)
    assert loop.light.is_enough(loop.attempt(17))
    loop.updates.made += 1
    assert not loop.light.is_enough(loop.attempt(17))


@pytest.mark.parametrize("seen", [0, 2])
def test_a_step_of_several_passes_is_not_noted(seen: int) -> None:
    loop = Loop()
    loop.begin(8, [loop.seen()] * seen)
    assert loop.light.on and loop.tape.draft is None


def test_a_step_that_cannot_be_repeated_is_not_noted() -> None:
    loop = Loop()
    loop.begin(8, [loop.seen(why="it starts from edges of the graph")])
    assert loop.light.on and loop.tape.draft is None


def test_a_step_that_reaches_what_no_optimiser_holds_is_not_noted() -> None:
    loop = Loop()
    loop.light.expect([loop.seen()], lambda: [loop.model.weight])
    loop.light.begin(loop.attempt(8), 9)
    assert loop.tape.draft is None


def test_notes_that_did_not_do_are_not_tried_again() -> None:
    loop = Loop()
    loop.begin(8)
    assert loop.tape.draft is not None
    loop.tape.draft.fits = False
    loop.light.begin(loop.attempt(9), 10)
    assert loop.light.on and loop.tape.draft is None
