"""What functions and hooks reach, and what cannot be put back."""

from __future__ import annotations

import functools
import itertools
import queue
from collections.abc import Callable
from typing import Any

import pytest
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


seen: list[int] = []


def one() -> None:
    two()


def two() -> None:
    three()


def three() -> None:
    four()


def four() -> None:
    seen.append(1)


def wrapped(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def inner(*given: Any) -> None:
        function(*given)

    return inner


class Keeper:
    """Keeps nothing itself; what is not used of it is not followed."""

    shared: list[int] = []  # noqa: RUF012 - of all instances

    def __call__(self, *given: Any) -> None:
        seen.append(1)

    def note(self, *given: Any) -> None:
        seen.append(1)

    def unused(self) -> int:
        return next(data)

    @property
    def touched(self) -> None:
        seen.append(1)

    @classmethod
    def put(cls, *given: Any) -> None:
        seen.append(1)

    @staticmethod
    def static(*given: Any) -> None:
        seen.append(1)


class Hub:
    def __init__(self) -> None:
        self.keeper = Keeper()
        self.noting = lambda: seen.append(1)


def attributed(*given: Any) -> None:
    attributed.seen.append(1)  # type: ignore[attr-defined]
    seen.append(1)


attributed.seen = []  # type: ignore[attr-defined]
keeper, hub, append = Keeper(), Hub(), seen.append
functions, table = [four], {"four": lambda *given: seen.append(1)}


def defaulted(*given: Any, box: tuple[list[int]] = (seen,)) -> None:
    box[0].append(1)


@pytest.mark.parametrize(
    "hook",
    [
        lambda *_: one(),
        wrapped(wrapped(wrapped(wrapped(lambda *_: seen.append(1))))),
        keeper,
        keeper.note,
        Keeper.put,
        Keeper.static,
        lambda *_: keeper.note(),
        lambda *_: keeper.touched,
        lambda *_: hub.keeper.note(),
        lambda *_: hub.noting(),
        lambda *_: append(1),
        lambda *_: functions[0](),
        lambda *_: table["four"](),
        lambda *_: list(map(seen.append, [1])) and None,
        functools.partial(Keeper.note, keeper),
        torch.no_grad()(keeper.note),
        attributed,
        defaulted,
    ],
)
def test_what_only_a_hook_reaches_comes_back(hook: Callable[..., None]) -> None:
    module = nn.Linear(2, 2)
    module.register_forward_hook(hook)
    reached = Reached([module])
    noted = nn.ModuleList()
    noted.noted = reached.state  # type: ignore[assignment]
    with preserved(module, None, noted):
        module(torch.ones(2))
        assert seen == [1]
    assert seen == [] == attributed.seen  # type: ignore[attr-defined]
    assert not reached.drawn


def test_what_a_hook_of_every_module_reaches_comes_back() -> None:
    module, handle = nn.Linear(2, 2), nn.modules.module.register_module_forward_hook(keeper.note)
    try:
        noted = nn.ModuleList()
        noted.noted = Reached([module]).state  # type: ignore[assignment]
        with preserved(module, None, noted):
            module(torch.ones(2))
            assert seen == [1]
        assert seen == []
    finally:
        handle.remove()


def test_what_a_hook_of_a_parameter_reaches_comes_back() -> None:
    module = nn.Linear(2, 2)
    module.weight.register_post_accumulate_grad_hook(keeper.note)
    module.bias.register_hook(keeper.note)
    noted = nn.ModuleList()
    noted.noted = Reached([module]).state  # type: ignore[assignment]
    with preserved(module, None, noted):
        module(torch.ones(2)).sum().backward()
        assert len(seen) == 2
    assert seen == []


def test_a_hook_into_which_nobody_can_look_makes_a_step_unrepeatable() -> None:
    module = nn.Linear(2, 2)
    module.register_forward_hook(seen.__class__.__len__)  # type: ignore[arg-type]
    assert Reached([module]).drawn == (
        "a hook of Linear is a wrapper_descriptor, into which nobody can look: what it changes cannot be put back"
    )
