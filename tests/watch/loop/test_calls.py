"""The calls of a loop are noted with their lines, and torch is as it was afterwards."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import SGD, lr_scheduler
from torch.utils.data import DataLoader, IterableDataset

from gradcheck_cli.watch.loop.calls import LoopCalls


@contextmanager
def noting(*, ours: bool = True) -> Iterator[LoopCalls]:
    calls = LoopCalls(lambda: ours, nullcontext())
    calls.install()
    try:
        yield calls
    finally:
        calls.remove()


def here() -> tuple[str, int]:
    """The line that asks."""
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return __file__, frame.f_back.f_lineno


def with_gradient() -> nn.Linear:
    model = nn.Linear(2, 1)
    model(torch.ones(1, 2)).sum().backward()
    return model


def test_torch_is_as_it_was() -> None:
    names = [(nn.Module, "train"), (nn.Module, "zero_grad"), (torch, "manual_seed"), (nn.utils, "clip_grad_norm_")]
    before = [getattr(owner, name) for owner, name in names]
    with noting():
        assert all(getattr(owner, name) is not was for (owner, name), was in zip(names, before, strict=True))
    assert [getattr(owner, name) for owner, name in names] == before


def test_who_cleared_gradients() -> None:
    model = with_gradient()
    with noting() as calls:
        model.zero_grad()
        line = (__file__, here()[1] - 1)
    assert calls.cleared == (1, line)
    assert model.weight.grad is None


def test_a_clip_knows_whose_gradients_and_whether_they_were_unscaled() -> None:
    model = with_gradient()
    optimizer, scaler = SGD(model.parameters(), lr=0.1), GradScaler("cpu")
    scaler.scale(torch.zeros(()))
    with noting() as calls:
        parameters = model.parameters()
        norm = nn.utils.clip_grad_norm_(parameters, 0.5)
        scaler.unscale_(optimizer)
        nn.utils.clip_grad.clip_grad_value_(model.parameters(), 0.5)
        nn.utils.clip_grad_norm_(parameters, 0.5)
        nn.utils.clip_grad_norm_(model.parameters(), float("inf"))
    first, second, third = calls.clips
    mine = frozenset(map(id, model.parameters()))
    assert (first.parameters, first.unscaled) == (mine, frozenset())
    assert (second.parameters, second.unscaled) == (mine, frozenset((id(optimizer),)))
    assert third.parameters == frozenset()
    assert float(norm) == pytest.approx(3**0.5)


def test_only_the_outermost_module_that_is_put_into_eval_mode_is_noted() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    with noting() as calls:
        model.eval()
        line = (__file__, here()[1] - 1)
        model[1].train()
    assert dict(calls.modes) == {model: line}
    assert [each.training for each in model] == [False, True]


def test_loaders_of_several_batches_that_are_begun() -> None:
    class Endless(IterableDataset[int]):
        def __iter__(self) -> Iterator[int]:
            yield from range(4)

    with noting() as calls:
        for size in (2, 4):
            next(iter(DataLoader(range(4), batch_size=size)))  # type: ignore[arg-type]
        next(iter(DataLoader(Endless(), batch_size=2)))
    assert len(calls.restarts) == 1


def test_a_seed_with_the_state_that_it_makes() -> None:
    state = torch.get_rng_state()
    try:
        with noting() as calls:
            torch.manual_seed(3)
            first = calls.seeded
            torch.rand(1)
            torch.random.manual_seed(3)
            assert first is not None and calls.seeded is not None
            assert calls.seeded[:2] == first[:2]
            calls.updated()
            assert calls.seeded is None
    finally:
        torch.set_rng_state(state)


def test_schedulers_by_the_optimiser_that_they_move() -> None:
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    with noting() as calls:
        scheduler = lr_scheduler.StepLR(optimizer, 5)
        assert optimizer not in calls.rated
        optimizer.step()
        scheduler.step()
        line = (__file__, here()[1] - 1)
    assert (calls.rated[optimizer].times, calls.rated[optimizer].line) == (1, line)


def test_a_warning_of_torchs_stays_at_the_users_line() -> None:
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    with noting(), pytest.warns(UserWarning, match="before") as caught:
        lr_scheduler.StepLR(optimizer, 5).step()
    assert caught[0].filename == __file__


def test_what_is_scaled() -> None:
    loss = torch.ones((), requires_grad=True) * 2
    with noting() as calls:
        scaled = GradScaler("cpu").scale(loss)
        GradScaler("cpu", enabled=False).scale(loss)
    assert scaled.grad_fn is not None
    assert calls.scaled == {scaled.grad_fn._sequence_nr()}


def test_what_other_threads_do_is_not_noted() -> None:
    model = with_gradient()
    with noting(ours=False) as calls:
        model.zero_grad()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        model.eval()
    assert (calls.order, calls.clips, len(calls.modes)) == (0, [], 0)
