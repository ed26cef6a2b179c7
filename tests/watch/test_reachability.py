"""What functions and hooks reach, and what cannot be put back."""

from __future__ import annotations

import itertools
import queue
from typing import Any

import torch
from torch import Tensor, nn

from gradcheck_cli.runtime.state import preserved
from gradcheck_cli.watch.reachability import Reached

count = 0
log: list[int] = []
tickets: queue.Queue[int] = queue.Queue()
generator = torch.Generator()


def helper() -> None:
    global count
    count += 1
    log.append(count)


class Counting(nn.Module):
    total = 0

    def forward(self, x: Tensor) -> Tensor:
        helper()
        Counting.total += 1
        tickets.put(count)
        return x * torch.rand((), generator=generator)


class Drawing(nn.Module):
    def __init__(self, source: Any) -> None:
        super().__init__()
        self.source, self._left_alone = source, iter(())

    def forward(self, x: Tensor) -> Tensor:
        return x + next(self.source)


class Endless:
    def __init__(self) -> None:
        self.at = 0

    def __next__(self) -> int:
        self.at += 1
        return self.at


class Holding(Endless):
    def __init__(self) -> None:
        self.inner = iter([1, 2])

    def __next__(self) -> int:
        return next(self.inner)


data = iter(())


class Reading(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.data  # the name of something else


def test_an_attribute_of_the_same_name_is_no_global() -> None:
    assert not Reached([Reading()]).drawn


def test_what_a_forward_pass_does_outside_of_its_model_comes_back() -> None:
    module, state = Counting(), generator.get_state()
    noted = nn.ModuleList()
    noted.noted = Reached([module]).state  # type: ignore[assignment]
    with preserved(module, None, noted):
        module(torch.ones(2))
        assert (count, log, Counting.total, tickets.qsize()) == (1, [1], 1, 1)
    assert (count, log, Counting.total, tickets.qsize(), tickets.unfinished_tasks) == (0, [], 0, 0, 0)
    assert torch.equal(generator.get_state(), state)


def test_a_variable_that_a_hook_closes_over_comes_back() -> None:
    calls = 0

    def hook(*given: Any) -> None:
        nonlocal calls
        calls += 1

    module = nn.Linear(2, 2)
    module.register_forward_hook(hook)
    noted = nn.ModuleList()
    noted.noted = Reached([module]).state  # type: ignore[assignment]
    with preserved(module, None, noted):
        module(torch.ones(2))
        assert calls == 1
    assert calls == 0


def test_what_is_drawn_from_and_cannot_be_put_back_is_named() -> None:
    assert Reached([Drawing(itertools.count())]).drawn == (
        "`source`, a count, is drawn from in the step and cannot be put back"
    )
    assert Reached([Drawing(Holding())]).drawn.startswith("`source`, a Holding")
    assert not Reached([Drawing(Endless()), Counting(), nn.Linear(2, 2)]).drawn
