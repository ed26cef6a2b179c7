"""What becomes of gradients from one update to the next."""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor, nn

from gradcheck_cli.watch.accumulation import Accumulation
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import Place
from gradcheck_cli.watch.loop.gradients import Gradients

HERE: Place = ((lambda: None).__code__, 0)
THERE: Place = ((lambda: None).__code__, 2)


class Run:
    """One parameter, and the passes and updates that are made of it."""

    def __init__(self) -> None:
        self.parameter = nn.Parameter(torch.ones(3))
        self.accumulation = Accumulation()
        self.gradients = Gradients(self.accumulation)

    @property
    def held(self) -> list[Tensor]:
        return [self.parameter]

    def passes(self, times: int = 1, place: Place = HERE, *, clear: bool = False) -> None:
        for _ in range(times):
            if clear:
                self.parameter.grad = None
            backward = Backward("backward", place, None)
            with suppress(AttributeError):
                backward.parameters = [self.parameter]
            self.accumulation.began(backward)
            self.gradients.began(backward)
            self.parameter.sum().backward()
            self.accumulation.ended(backward)
            self.gradients.ended(backward)

    def updates(self, optimizer: int = 0) -> None:
        self.gradients.updated(optimizer, self.held)
        self.accumulation.updated()


def test_what_is_left_of_the_last_update() -> None:
    run = Run()
    run.passes()
    assert run.gradients.leftover(run.held) == 0
    run.updates()
    run.passes(2)
    assert run.gradients.leftover(run.held) == 1


def test_what_was_cleared_or_written_into_is_not_left() -> None:
    for change in (lambda p: setattr(p, "grad", None), lambda p: p.grad.zero_(), lambda p: p.grad.mul_(0.5)):
        run = Run()
        run.passes()
        run.updates()
        change(run.parameter)
        run.passes()
        assert run.gradients.leftover(run.held) == 0


def test_what_is_cleared_between_two_passes_is_no_longer_left() -> None:
    run = Run()
    run.passes()
    run.updates()
    run.passes()
    run.passes(clear=True)
    assert run.gradients.leftover(run.held) == 0


def test_passes_that_are_cleared_away() -> None:
    run = Run()
    run.passes(3, clear=True)
    assert run.gradients.lost(run.held) == 2
    run.updates()
    run.passes(clear=True)
    assert run.gradients.lost(run.held) == 0


def test_passes_from_different_lines_or_with_other_weights_are_no_micro_batches() -> None:
    run = Run()
    run.passes(clear=True)
    run.passes(place=THERE, clear=True)
    assert run.gradients.lost(run.held) == 0
    run = Run()
    run.passes(clear=True)
    with torch.no_grad():
        run.parameter.add_(1.0)
    run.passes(clear=True)
    assert run.gradients.lost(run.held) == 0


def test_whose_update_used_a_gradient_before() -> None:
    run = Run()
    run.passes()
    assert run.gradients.used_before(run.held) == []
    run.updates(optimizer=1)
    assert [taken.optimizer for taken in run.gradients.used_before(run.held)] == [1]
    run.passes()
    assert run.gradients.since(run.parameter)
    assert run.gradients.used_before(run.held) == []


def test_a_pass_that_leaves_nothing_has_reached_nothing() -> None:
    run = Run()
    backward = Backward("backward", HERE, None)
    backward.parameters = [run.parameter]
    run.accumulation.began(backward)
    run.gradients.began(backward)
    assert not run.gradients.ended(backward)
    assert not run.gradients.since(run.parameter)
