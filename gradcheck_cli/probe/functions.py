"""Hold the backward of a custom autograd Function against differences of its forward."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradcheck_cli.runtime.trees import tensors_in

_DIRECTIONS = 8
_STEP = 1e-3
"""Length of a difference, relative to the RMS of what goes in: small against curvature, large against rounding."""


class Application(NamedTuple):
    """One call of a custom Function: its class, what it was given, and the node that it made."""

    function: type[torch.autograd.Function]
    args: tuple[Any, ...]
    node: Any


@contextmanager
def recorded_applications(calls: list[Application]) -> Iterator[None]:
    """Inside, every call of a custom Function that makes a node is added to `calls`."""
    original = torch.autograd.Function.__dict__["apply"]

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        given = tuple(a.detach().clone() if isinstance(a, Tensor) else a for a in args)
        result = original.__func__(cls, *args, **kwargs)
        made = next((t.grad_fn for t in tensors_in(result) if t.grad_fn is not None), None)
        if made is not None and not kwargs:
            needs = (isinstance(a, Tensor) and a.requires_grad for a in args)
            calls.append(Application(cls, tuple(_marked(g, n) for g, n in zip(given, needs, strict=True)), made))
        return result

    torch.autograd.Function.apply = classmethod(apply)  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        torch.autograd.Function.apply = original  # type: ignore[method-assign]


def _marked(value: Any, needs_gradient: bool) -> Any:
    return value.requires_grad_() if needs_gradient else value


def tested(call: Application) -> tuple[float | None, float] | None:
    """log10 of what the backward gives over what differences give, and the cosine of the two; None if it raises.

    Both are inner products with the same random directions, in which the forward is moved and its output is read.
    """
    generator = torch.Generator().manual_seed(0)
    try:
        pairs = [_both(call, generator) for _ in range(_DIRECTIONS)]
    except Exception:  # the user's code, on values that it did not see before
        return None
    given, measured = (math.hypot(*side) for side in zip(*pairs, strict=True))
    if not all(map(math.isfinite, (given, measured))):
        return None
    alike = sum(a * b for a, b in pairs) / (given * measured) if given and measured else 0.0
    return (math.log10(given / measured) if given and measured else None), alike


def _both(call: Application, generator: torch.Generator) -> tuple[float, float]:
    """What the backward and what a difference say of one direction in, read along one direction out."""
    moved = [i for i, a in enumerate(call.args) if isinstance(a, Tensor) and a.requires_grad]
    ways = {i: _random(call.args[i], generator) for i in moved}
    with torch.enable_grad():
        inputs = [call.args[i].detach().clone().requires_grad_() for i in moved]
        out = _output(call, dict(zip(moved, inputs, strict=True)))
        look = _random(out, generator)
        gradients = torch.autograd.grad(out, inputs, look, allow_unused=True)
    given = sum(
        float((g.double() * ways[i].double()).sum()) for i, g in zip(moved, gradients, strict=True) if g is not None
    )
    ahead, behind = (_moved(call, ways, sign * _STEP) for sign in (1, -1))
    difference = ((ahead - behind) * look.double()).sum() / (2 * _STEP)
    return given, float(difference)


def _moved(call: Application, ways: dict[int, Tensor], by: float) -> Tensor:
    with torch.no_grad():
        return _output(call, {i: call.args[i].detach() + by * way for i, way in ways.items()}).double()


def _output(call: Application, changed: dict[int, Tensor]) -> Tensor:
    args = [changed.get(i, a) for i, a in enumerate(call.args)]
    return next(t for t in tensors_in(call.function.apply(*args)) if t.is_floating_point())


def _random(like: Tensor, generator: torch.Generator) -> Tensor:
    drawn = torch.randn(like.shape, generator=generator).to(like.device, like.dtype)
    scale = like.detach().square().mean().sqrt()
    return drawn * torch.where(scale > 0, scale, torch.ones_like(scale))
