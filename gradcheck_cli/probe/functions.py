"""Hold the backward of a custom autograd Function against differences of its forward."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradcheck_cli.runtime.state import seed_everything
from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.runtime.trees import tensors_in

_DIRECTIONS = 8


class Application(NamedTuple):
    """One call of a custom Function: its class, what it was given, and the node that it made."""

    function: type[torch.autograd.Function]
    args: tuple[Any, ...]
    node: Any


@contextmanager
def recorded_applications(calls: list[Application], names: Collection[str]) -> Iterator[None]:
    """Inside, every call of a custom Function that makes a node of one of these names is added to `calls`."""
    original = torch.autograd.Function.__dict__["apply"]

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs or f"{cls.__name__}Backward" not in names:
            return original.__func__(cls, *args, **kwargs)
        given = tuple(_copied(each) for each in args)
        result = original.__func__(cls, *args)
        made = next((t.grad_fn for t in tensors_in(result) if t.grad_fn is not None), None)
        if made is not None:
            calls.append(Application(cls, given, made))
        return result

    torch.autograd.Function.apply = classmethod(apply)  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        torch.autograd.Function.apply = original  # type: ignore[method-assign]


def _copied(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    with untouched():
        return value.detach().clone().requires_grad_(value.requires_grad)


def tested(call: Application) -> tuple[float | None, float] | None:
    """log10 of what the backward gives over what differences give, and the cosine of the two; None if it raises.

    Both are inner products with the same random directions, in which the forward is moved and its output is read. In
    float64, where the Function takes it: differences are small against curvature and jumps, large against rounding.
    The two are compared by their medians, so that one jump in a forward of steps is not taken for a slope.
    """
    for dtype in (torch.float64, torch.float32, None):
        try:
            pairs = _pairs(call, dtype)
        except Exception:  # the user's code, on values that it did not see before
            continue
        if all(map(math.isfinite, (x for pair in pairs for x in pair))):
            return _compared(pairs)
    return None


def _compared(pairs: list[tuple[float, float]]) -> tuple[float | None, float]:
    given, measured = (median(map(abs, side)) for side in zip(*pairs, strict=True))
    if not measured:
        return None, 0.0
    if not given:
        return -math.inf, 0.0
    norms = math.prod(math.hypot(*side) for side in zip(*pairs, strict=True))
    return math.log10(given / measured), sum(a * b for a, b in pairs) / norms


def _pairs(call: Application, dtype: torch.dtype | None) -> list[tuple[float, float]]:
    generator = torch.Generator().manual_seed(0)
    args = tuple(_cast(each, dtype) for each in call.args)
    return [_both(call.function, args, generator) for _ in range(_DIRECTIONS)]


def _cast(value: Any, dtype: torch.dtype | None) -> Any:
    if not isinstance(value, Tensor) or not value.is_floating_point() or dtype is None:
        return value
    return value.detach().to(dtype).requires_grad_(value.requires_grad)


def _both(function: Any, args: tuple[Any, ...], generator: torch.Generator) -> tuple[float, float]:
    """What the backward and what a difference say of one direction in, read along one direction out."""
    moved = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
    ways = {i: _random(args[i], generator) for i in moved}
    inputs = [args[i].detach().clone().requires_grad_() for i in moved]
    with torch.enable_grad():
        out = _outputs(function, args, dict(zip(moved, inputs, strict=True)))
        read = [i for i, t in enumerate(out) if t.requires_grad]
        looks = [_random(out[i], generator) for i in read]
        gradients = torch.autograd.grad([out[i] for i in read], inputs, looks, allow_unused=True)
    given = sum(_inner(g, ways[i]) for i, g in zip(moved, gradients, strict=True) if g is not None)
    step = min(torch.finfo(out[i].dtype).eps for i in read) ** (1 / 3)  # the error of a central difference is least
    with torch.no_grad():
        ahead, behind = (
            _outputs(function, args, {i: args[i].detach() + by * ways[i] for i in moved}) for by in (step, -step)
        )
    change = (_inner(ahead[i].double() - behind[i].double(), look) for i, look in zip(read, looks, strict=True))
    return given, sum(change) / (2 * step)


def _outputs(function: Any, args: tuple[Any, ...], changed: dict[int, Tensor]) -> list[Tensor]:
    """Its floating outputs; the same noise each time, and nothing that it writes into is the caller's."""
    seed_everything(0)
    given = (changed.get(i, a) for i, a in enumerate(args))
    result = function.apply(*(a.clone() if isinstance(a, Tensor) else a for a in given))
    return [t for t in tensors_in(result) if t.is_floating_point()]


def _inner(one: Tensor, other: Tensor) -> float:
    return float((one.double() * other.double()).sum())


def _random(like: Tensor, generator: torch.Generator) -> Tensor:
    drawn = torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like.device, like.dtype)
    scale = like.detach().square().mean().sqrt()
    return drawn * torch.where(scale > 0, scale, torch.ones_like(scale))
