"""What a torch function is about to write into is seen in its call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.runtime.state.writes import WriteWatch, function_name, written


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (torch.add, "add"),
        (Tensor.add_, "add_"),
        (torch.relu_, "relu_"),
        (Tensor.__add__, "add"),
        (Tensor.__getitem__, "getitem"),
        (Tensor.__setitem__, "setitem_"),
        (Tensor.__iadd__, "iadd_"),
        (Tensor.grad.__get__, "grad"),
        (Tensor.grad.__set__, "grad_"),
        (Tensor.data.__set__, "data_"),
        (nn.functional.linear, "linear"),
        (nn.init.zeros_, "zeros_"),
        (object(), "?"),
    ],
)
def test_the_underscore_at_the_end_says_that_it_writes(function: Any, name: str) -> None:
    told = function_name(function)
    assert told.endswith("_") is name.endswith("_")
    assert told.strip("_") == name.strip("_")


def test_a_dunder_that_does_not_write_has_no_underscore_at_the_end() -> None:
    for function in (Tensor.__add__, Tensor.__rsub__, Tensor.__len__, Tensor.__eq__):
        assert not function_name(function).endswith("_")


X, Y = torch.ones(2), torch.zeros(2)


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "target"),
    [
        ("add_", (X, Y), {}, X),
        ("add_", (X,), {"out": Y}, X),
        ("add", (X, X), {"out": Y}, Y),
        ("add", (X, X), {}, None),
        ("add", (X, X), None, None),
        ("normal_", (), {"tensor": X, "mean": 0.0}, X),
        ("normal_", (), None, None),
    ],
)
def test_the_target_of_a_call(name: str, args: Any, kwargs: Any, target: Tensor | None) -> None:
    assert written(name, args, kwargs) is target


def test_a_list_is_the_target_as_a_whole() -> None:
    pair = [X, Y]
    assert written("_foreach_add_", (pair, 1.0), {}) is pair


def _iadd(weight: Tensor) -> None:
    weight += 1


def _row(weight: Tensor) -> None:
    weight[0] = 3.0


WRITES: dict[str, Callable[[Tensor], Any]] = {
    "add_": lambda w: w.add_(1.0),
    "+=": _iadd,
    "a row": _row,
    "out=": lambda w: torch.mul(w, 2.0, out=w),
    "data": lambda w: w.data.mul_(2.0),
    "a view": lambda w: w.view(-1)[1:].zero_(),
    "foreach": lambda w: torch._foreach_mul_([w], 2.0),
    "init": nn.init.ones_,
    "optimiser": lambda w: torch.optim.SGD([w], lr=0.1).step(),
}


@pytest.mark.parametrize("write", WRITES)
@torch.no_grad()
def test_a_write_is_told_before_it_happens(write: str) -> None:
    weight = nn.Parameter(torch.full((2, 2), 5.0))
    weight.grad = torch.ones(2, 2)
    seen: list[list[float]] = []

    def before(target: Any) -> None:
        tensors = target if isinstance(target, list) else [target]
        places = {t.untyped_storage().data_ptr() for t in tensors if isinstance(t, Tensor)}
        if weight.untyped_storage().data_ptr() in places:
            with torch._C.DisableTorchFunction():
                seen.append(weight.detach().clone().view(-1).tolist())

    with WriteWatch(before):
        WRITES[write](weight)
    assert seen[0] == [5.0] * 4
    assert weight.view(-1).tolist() != [5.0] * 4


def test_reading_tells_of_nothing_and_gives_what_it_gives_otherwise() -> None:
    seen: list[Any] = []
    weight = torch.arange(4.0)
    with WriteWatch(seen.append):
        total = (weight * 2 + 1).square().sum()
    assert total.item() == 84.0
    assert all(target is None for target in seen) and seen


def test_nothing_is_told_once_it_is_left() -> None:
    seen: list[Any] = []
    with WriteWatch(seen.append):
        pass
    torch.ones(2).add_(1)
    assert seen == []
