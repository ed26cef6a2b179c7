"""Attempted updates: each counted once, told before and after, and nobody disturbed."""

from __future__ import annotations

import copy
import gc
import math
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch._dynamo
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter
from torch.amp.grad_scaler import GradScaler
from torch.optim import SGD, Adam, Optimizer

from gradcheck_cli.watch.attempts import Attempt, Updates


class Listener:
    """Notes what it is told, and the parameters at that time."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int]] = []
        self.attempts: list[Attempt] = []
        self.values: list[float] = []

    def updating(self, attempt: Attempt) -> None:
        self.told.append(("before", attempt.number, attempt.own_step))
        self.attempts.append(attempt)
        self.values.append(float(next(attempt.parameters()).detach().sum()))

    def updated(self, attempt: Attempt) -> None:
        self.told.append(("after", attempt.number, attempt.own_step))
        self.values.append(float(next(attempt.parameters()).detach().sum()))


@contextmanager
def listening() -> Iterator[tuple[Listener, Updates]]:
    listener = Listener()
    updates = Updates(listener)
    updates.install()
    try:
        yield listener, updates
    finally:
        updates.remove()


def weight(gradient: float = 1.0) -> nn.Parameter:
    made = nn.Parameter(torch.zeros(1))
    made.grad = torch.full((1,), gradient)
    return made


BOTH = [("before", 0, 1), ("after", 0, 1)]


def test_one_update_is_told_before_and_after_it_is_made() -> None:
    with listening() as (listener, updates):
        SGD([weight()], lr=0.5).step()
        assert listener.told == BOTH and listener.values == [0.0, -0.5]
        assert updates.inside is None
        assert listener.attempts[0].rates() == (0.5,) and listener.attempts[0].scaler is None


def test_optimisers_are_numbered_by_their_first_update_and_count_their_own() -> None:
    with listening() as (listener, updates):
        one, two = SGD([weight()], lr=0.1), Adam([weight()])
        assert set(updates.optimizers()) == {one, two}
        for optimizer in (two, one, two):
            optimizer.step()
        assert [told for told in listener.told if told[0] == "before"] == [
            ("before", 0, 1),
            ("before", 1, 1),
            ("before", 0, 2),
        ]


def test_an_optimiser_that_was_copied_or_unpickled_is_known_before_its_first_step() -> None:
    original = SGD([weight()], lr=0.1)
    with listening() as (_, updates):
        made = [copy.deepcopy(original), pickle.loads(pickle.dumps(original))]
        assert set(updates.optimizers()) == set(made)


def test_an_optimiser_that_is_gone_is_held_no_longer() -> None:
    with listening() as (listener, updates):
        optimizer = SGD([weight()], lr=0.1)
        optimizer.step()
        listener.attempts.clear()
        del optimizer
        assert updates.optimizers() == []


def test_a_tensor_as_learning_rate_is_not_waited_for() -> None:
    with listening() as (listener, _):
        Adam([{"params": [weight()], "lr": 0.25}, {"params": [weight()], "lr": torch.tensor(0.1)}]).step()
        assert listener.attempts[0].rates() == (0.25,)


# -- GradScaler


@pytest.mark.parametrize("gradient", [math.inf, math.nan])
def test_an_update_that_a_scaler_skips_is_attempted(gradient: float) -> None:
    with listening() as (listener, _):
        scaler = GradScaler("cpu", init_scale=1024.0)
        parameter = weight()
        optimizer = SGD([parameter], lr=1.0)
        scaled = scaler.scale(parameter.sum() * gradient)
        scaled.backward()
        scaler.step(optimizer)
        scaler.update()
        assert listener.told == BOTH and listener.values == [0.0, 0.0]
        assert listener.attempts[0].scaler is scaler
        assert scaler.get_scale() == 512.0


def test_an_update_that_a_scaler_lets_through_is_counted_once_and_unscaled_by_then() -> None:
    with listening() as (listener, _):
        scaler = GradScaler("cpu", init_scale=1024.0, growth_interval=1)
        parameter = nn.Parameter(torch.zeros(1))
        optimizer = SGD([parameter], lr=1.0)
        for _ in range(3):
            optimizer.zero_grad()
            scaler.scale(parameter.sum()).backward()
            scaler.step(optimizer)
            scaler.update()
        assert [told[0] for told in listener.told] == ["before", "after"] * 3
        assert listener.values == [0.0, -1.0, -1.0, -2.0, -2.0, -3.0]
        assert scaler.get_scale() == 8192.0


def test_a_scaler_that_is_switched_off_is_none() -> None:
    with listening() as (listener, updates):
        scaler = GradScaler("cpu", enabled=False)
        parameter = weight()
        loss = parameter.sum()
        assert scaler.scale(loss) is loss
        assert updates.scale_of(loss) is None
        scaler.step(SGD([parameter], lr=1.0))
        assert listener.told == BOTH and listener.attempts[0].scaler is None


def test_the_loss_before_it_was_scaled_is_known_while_it_lives() -> None:
    with listening() as (_, updates):
        scaler = GradScaler("cpu", init_scale=8.0)
        loss = weight().sum() + 2
        scaled = scaler.scale(loss)
        found = updates.scale_of(scaled)
        assert found is not None
        assert float(found[0]) == 2.0 and found[1] is scaler and not found[0].requires_grad
        assert updates.scale_of(loss) is None
        assert [float(x.detach()) for x in scaler.scale([loss, loss])] == [16.0, 16.0]


# -- closures, wrappers and errors


def test_a_closure_runs_inside_and_its_update_is_one() -> None:
    with listening() as (listener, updates):
        parameter = nn.Parameter(torch.ones(3))
        optimizer = torch.optim.LBFGS([parameter], max_iter=4)
        inside: list[Attempt | None] = []

        def closure() -> Tensor:
            inside.append(updates.inside)
            optimizer.zero_grad()
            loss = (parameter - 3).square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        assert len(inside) > 1 and set(inside) == {listener.attempts[0]}
        assert listener.told == BOTH and listener.attempts[0].closure
        optimizer.step(closure=closure)
        assert len(listener.told) == 4 and listener.attempts[1].closure
    with listening() as (listener, _):
        SGD([weight()], lr=0.1).step(None)
        assert not listener.attempts[0].closure


class Wrapper(Optimizer):
    """Steps another optimiser, as Lookahead and LARS do."""

    def __init__(self, inner: Optimizer) -> None:
        super().__init__(inner.param_groups, {})
        self.inner = inner

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.inner.step()


class Holder:
    """Steps another optimiser and is none itself, as accelerate's."""

    def __init__(self, inner: Optimizer) -> None:
        self.inner = inner

    def step(self) -> None:
        self.inner.step()


@pytest.mark.parametrize("kind", [Wrapper, Holder])
def test_an_optimiser_around_another_is_one_update(kind: Any) -> None:
    with listening() as (listener, _):
        wrapper = kind(SGD([weight()], lr=0.5))
        for _ in range(2):
            wrapper.step()
        assert [told[0] for told in listener.told] == ["before", "after"] * 2
        assert listener.values == [0.0, -0.5, -0.5, -1.0]


class Longer(SGD):
    """Does something around the step of its class."""

    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        found = super().step(closure)
        self.param_groups[0]["params"][0].data += 10
        return found


def test_a_step_that_calls_that_of_its_class_is_one_update() -> None:
    with listening() as (listener, _):
        SGD([weight()], lr=0.5)  # from now on the class's own step tells of itself, too
        Longer([weight()], lr=0.5).step()
        assert listener.told == BOTH and listener.values == [0.0, 9.5]


class Failing(Optimizer):
    """Raises in its step as often as it is told."""

    def __init__(self, parameter: Tensor, times: int) -> None:
        super().__init__([parameter], {"lr": 0.1})
        self.times = times

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.times -= 1
        if self.times >= 0:
            raise RuntimeError("no")


def test_an_optimiser_that_raises_does_not_swallow_the_updates_after_it() -> None:
    with listening() as (listener, _):
        failing, other = Failing(weight(), 2), SGD([weight()], lr=0.1)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="no"):
                failing.step()
        other.step()
        failing.step()
        assert [told for told in listener.told if told[0] == "after"] == [("after", 1, 1), ("after", 0, 3)]


def test_a_scaler_whose_optimiser_raises() -> None:
    with listening() as (listener, updates):
        scaler = GradScaler("cpu")
        parameter = weight()
        failing = Failing(parameter, 1)
        scaler.scale(parameter.sum()).backward()
        with pytest.raises(RuntimeError, match="no"):
            scaler.step(failing)
        assert updates.inside is None
        SGD([weight()], lr=0.1).step()
        assert listener.told[-1] == ("after", 1, 1)


def test_an_optimiser_in_a_backward_pass() -> None:
    with listening() as (listener, _):
        parameters = [nn.Parameter(torch.ones(2)) for _ in range(3)]
        optimizers = {p: SGD([p], lr=0.5) for p in parameters}
        for parameter in parameters:
            parameter.register_post_accumulate_grad_hook(lambda p: optimizers[p].step())
        torch.stack(parameters).sum().backward()
        assert sorted(told[1] for told in listener.told if told[0] == "before") == [0, 1, 2]
        assert all(p.tolist() == [0.5, 0.5] for p in parameters)


# -- nobody is disturbed


def test_everything_comes_back() -> None:
    before = Optimizer.__init__, GradScaler.scale, GradScaler.step
    with listening() as (listener, _):
        assert (Optimizer.__init__, GradScaler.scale, GradScaler.step) != before
        assert GradScaler.step.__name__ == "step" and GradScaler.step.__doc__ == before[2].__doc__
    assert (Optimizer.__init__, GradScaler.scale, GradScaler.step) == before
    SGD([weight()], lr=0.1).step()
    assert listener.told == []


def test_who_wrapped_the_same_after_us_stays() -> None:
    before = GradScaler.step
    with listening():
        ours = GradScaler.step
        GradScaler.step = theirs = lambda *args: ours(*args)  # type: ignore[method-assign]
    try:
        assert GradScaler.step is theirs
    finally:
        GradScaler.step = before  # type: ignore[method-assign]


def compiled(steps: int) -> tuple[int, list[float]]:
    """The graphs that a compiled step is made of, and the weights after some."""
    torch._dynamo.reset()
    counter = CompileCounter()
    parameter = weight()
    optimizer = SGD([parameter], lr=0.5)
    step = torch.compile(lambda: optimizer.step(), backend=counter)
    for _ in range(steps):
        step()
    return counter.frame_count, parameter.tolist()


def test_a_compiled_step_has_the_graphs_that_it_has_without_us() -> None:
    """Its hooks are traced away with it: who watches has to look at the parameters."""
    bare = compiled(3)
    with listening() as (listener, updates):
        assert compiled(3) == bare
        assert listener.told == [] and len(updates.optimizers()) <= 1


def test_the_number_of_an_optimizer_that_is_gone_is_not_given_again() -> None:
    seen: list[int] = []

    class Numbers:
        def updating(self, attempt: Attempt) -> None:
            seen.append(attempt.number)

        def updated(self, attempt: Attempt) -> None:
            pass

    updates = Updates(Numbers(), lambda: True)
    updates.install()
    try:
        for _ in range(2):
            torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1).step()
            gc.collect()
    finally:
        updates.remove()
    assert seen == [0, 1]
