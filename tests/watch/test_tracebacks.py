"""Tracebacks under a watcher are, line by line, those of plain Python."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import SGD
from torch.overrides import TorchFunctionMode

from gradcheck_cli.watch.tracebacks import OURS, cleared, hidden, trimmed
from tests.watch.watching import watching

net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
X = torch.ones(3, 4)


class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, where: str) -> Tensor:
        if where == "forward":
            raise KeyError("own")
        return x * 2

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        raise KeyError("own")


def closure() -> Tensor:
    raise ValueError("in the closure")


def scaler_twice() -> None:
    optimizer, scaler = SGD(net.parameters(), lr=0.0), GradScaler("cpu")
    scaler.scale(net(X).sum()).backward()
    scaler.step(optimizer)
    scaler.step(optimizer)


RAISING: dict[str, Callable[[], Any]] = {
    "module": lambda: net(torch.ones(3, 5)),
    "operator": lambda: net(X) @ torch.ones(5, 5),
    "method": lambda: net(X).reshape(7),
    "function": lambda: nn.functional.binary_cross_entropy(net(X) * torch.nan, torch.rand(3, 1)),
    "loss module": lambda: nn.BCELoss()(net(X) * torch.nan, torch.rand(3, 1)),
    "nested functions": lambda: nn.functional.gumbel_softmax(net(X), tau=1.0, dim=7),
    "forward of a function": lambda: Own.apply(net(X), "forward"),
    "backward of a function": lambda: Own.apply(net(X), "backward").sum().backward(),
    "backward": lambda: net(X).backward(),
    "autograd.backward": lambda: torch.autograd.backward(net(X)),
    "autograd.grad": lambda: torch.autograd.grad(net(X).sum(), X),
    "functional_call": lambda: torch.func.functional_call(net, {}, (torch.ones(3, 5),)),
    "optimiser": lambda: SGD([], lr=0.1),
    "closure": lambda: SGD(net.parameters(), lr=0.1).step(closure),  # type: ignore[arg-type]
    "scaler": scaler_twice,
    "exit": lambda: sys.exit(3),
    "quit": lambda: quit(3),
}


def trace_of(call: Callable[[], Any], made: Callable[[BaseException], None] = lambda error: None) -> str:
    with pytest.raises(BaseException) as raised:
        net(X)  # so that the tape is open
        call()
    made(raised.value)
    told: list[str] = []
    error: BaseException | None = raised.value
    while error is not None:
        told += [f"{f.filename} {f.name} {f.line}" for f in traceback.extract_tb(error.__traceback__)][1:]
        told.append(repr(error))
        error = error.__cause__ or error.__context__
    return "\n".join(told)


@pytest.mark.parametrize("what", RAISING)
def test_what_is_raised_has_the_trace_that_it_has_without_us(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    bare = trace_of(RAISING[what])
    with watching(tmp_path):
        assert trace_of(RAISING[what], cleared) == bare
        assert OURS not in trace_of(RAISING[what])


def test_a_mode_of_the_scripts_keeps_its_frames(tmp_path: Path) -> None:
    class Mode(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    def call() -> None:
        with Mode():
            RAISING["function"]()

    bare = trace_of(call)
    with watching(tmp_path):
        assert trace_of(call, cleared) == bare


def test_an_error_that_came_from_itself_is_cleared_once() -> None:
    error = ValueError()
    error.__context__ = other = KeyError()
    other.__context__ = error
    cleared(error)
    cleared(None)


def test_a_hidden_call_returns_and_raises_as_the_call_does() -> None:
    @hidden
    def halved(x: float, *, by: float = 2) -> float:
        return x / by

    assert halved(3.0) == 1.5 and halved.__name__ == "halved"
    with pytest.raises(ZeroDivisionError):
        halved(1.0, by=0)


def test_frames_that_are_not_ours_are_left() -> None:
    try:
        raise ValueError
    except ValueError as error:
        before = error.__traceback__
        trimmed(error)
        assert error.__traceback__ is before
