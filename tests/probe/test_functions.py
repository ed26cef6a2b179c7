"""Custom Functions: their backward against differences of their forward."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import Function

from gradcheck_cli.probe import functions
from gradcheck_cli.probe.functions import Application, recorded_applications


class Cube(Function):
    scale = 1.0

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 3 * ctx.saved_tensors[0] ** 2 * gradient


class Shrunk(Cube):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 1e-3 * Cube.backward(ctx, gradient)


class Rounded(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class Reversed(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient


class Closed(Cube):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * 0


class Mixed(Function):
    """Several inputs and outputs, some of which have no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, places: Tensor, power: int, weight: Tensor, bias: Any, name: str) -> Any:
        assert bias is None and name == "mixed" and not places.is_floating_point()
        ctx.save_for_backward(x, weight)
        ctx.power = power
        order, kept = x.argsort(), x.detach().abs()
        ctx.mark_non_differentiable(order, kept)
        return order, kept, x**power @ weight, (x.sum(), "a string")[0]

    @staticmethod
    def backward(ctx: Any, _: Any, __: Any, first: Tensor, second: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        into = first @ weight.T * ctx.power * x ** (ctx.power - 1) + second
        return into, None, None, (x**ctx.power).T @ first, None, None


class Half(Cube):
    """Takes one precision only."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        assert x.dtype in (torch.float16, torch.bfloat16)
        return Cube.forward(ctx, x)


class Casting(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.to(torch.bfloat16) * 2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.float() * 2


class Noisy(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x + torch.randn_like(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class InPlace(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.mark_dirty(x)
        return x.mul_(3)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 3 * gradient


class Raising(Cube):
    seen: Tensor

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        if not torch.equal(x, Raising.seen):
            raise ValueError("these values are new")
        return Cube.forward(ctx, x)


def application(function: type[Function], *args: Any) -> Application:
    calls: list[Application] = []
    with recorded_applications(calls, {f"{function.__name__}Backward"}):
        given = [a.clone() if isinstance(a, Tensor) else a for a in args]
        function.apply(*given)
    (call,) = calls
    return call


def x(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    values = torch.randn(shape or (6, 4), generator=torch.Generator().manual_seed(1))
    return values.to(dtype).requires_grad_()


MIXED = (x(), torch.arange(3), 2, x(4, 2), None, "mixed")


@pytest.mark.parametrize(
    ("function", "args", "decades", "alike"),
    [
        (Cube, (x(),), 0, 1),
        (Cube, (x(dtype=torch.float64),), 0, 1),
        (Cube, (x(dtype=torch.float16),), 0, 1),
        (Cube, (x(dtype=torch.bfloat16),), 0, 1),
        (Cube, (x(1),), 0, 1),
        (Cube, (x() * 1e6,), 0, 1),
        (Cube, (x() * 1e-6,), 0, 1),
        (Shrunk, (x(),), -3, 1),
        (Shrunk, (x(dtype=torch.bfloat16),), -3, 1),
        (Reversed, (x(),), 0, -1),
        (Mixed, MIXED, 0, 1),
        (Noisy, (x(),), 0, 1),
        (InPlace, (x(),), 0, 1),
    ],
)
def test_a_known_backward(function: type[Function], args: tuple[Any, ...], decades: float, alike: float) -> None:
    found = functions.tested(application(function, *args))
    assert found == (pytest.approx(decades, abs=1e-3), pytest.approx(alike, abs=1e-3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_function_of_one_precision_is_tested_in_it(dtype: torch.dtype) -> None:
    found = functions.tested(application(Half, x(64, dtype=dtype)))
    assert found == (pytest.approx(0, abs=0.1), pytest.approx(1, abs=0.05))


def test_a_cast_inside_sets_the_step() -> None:
    """A move of a millionth would be rounded away, and the forward seem not to move."""
    assert functions.tested(application(Casting, x(64))) == (pytest.approx(0, abs=0.1), pytest.approx(1, abs=0.05))


@pytest.mark.parametrize("many", [4, 4096])
def test_a_forward_of_steps_does_not_move(many: int) -> None:
    """Also where a few elements of many lie so near a jump that the difference crosses it."""
    found = functions.tested(application(Rounded, x(many)))
    assert found is not None
    assert found[0] is None


def test_a_backward_that_gives_nothing_lies_infinitely_far_below_its_forward() -> None:
    assert functions.tested(application(Closed, x())) == (-math.inf, 0.0)


def test_what_raises_on_values_that_it_has_not_seen_is_left_out() -> None:
    Raising.seen = x()
    assert functions.tested(application(Raising, x())) is None


def test_only_the_calls_that_are_asked_for_are_kept_and_apply_comes_back() -> None:
    before, calls = Function.__dict__["apply"], list[Application]()
    with pytest.raises(KeyError), recorded_applications(calls, {"CubeBackward"}):
        Cube.apply(x())
        Shrunk.apply(x())
        Cube.apply(x().detach())  # makes no node
        raise KeyError
    assert [call.function for call in calls] == [Cube]
    assert Function.__dict__["apply"] is before


def test_what_was_given_is_copied_before_it_is_written_into() -> None:
    calls = list[Application]()
    with recorded_applications(calls, {"InPlaceBackward"}):
        InPlace.apply(x().clone())
    torch.testing.assert_close(calls[0].args[0], x())
