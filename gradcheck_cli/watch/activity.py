"""What the activations of a pass are like: their scale, units that are off for the whole batch, slopes next to 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from gradcheck_cli.runtime.state import function_name
from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.withoutdropout import drops

_RECTIFIERS = frozenset(("relu", "relu_", "relu6", "threshold", "clamp_min"))
_SQUASHERS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": lambda y: 4 * y * (1 - y),
    "tanh": lambda y: 1 - y * y,
}
"""Functions that saturate: from what they put out to their slope over the largest that it can be."""
_FLAT = 0.01
"""Share of the largest slope below which an element is saturated, as for GC206."""
_LEAST_ROWS = 16
"""Rows on fewer of which a unit can be off for all by chance, as for GC403."""


class Activity(TorchFunctionMode):
    """Inside, layers, rectifiers, sigmoids and tanhs are looked at as they are called.

    Args:
        names: The paths of the modules, by their ids.

    Attributes:
        dead: Share of units off for the whole batch, by the innermost module that is being called.
        saturated: Share of elements whose slope is next to 0, likewise.
        output_rms: RMS of what each layer, a module that owns parameters, puts out; the largest of its calls.
        drops: Whether a dropout was on.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__()
        self._names, self._path = names, [""]
        self.dead: dict[str, float] = {}
        self.saturated: dict[str, float] = {}
        self.output_rms: dict[str, float] = {}
        self.drops = False
        self._hooks = ExitStack()

    def __enter__(self) -> Activity:
        before = register_module_forward_pre_hook(self._entering)
        after = register_module_forward_hook(self._leaving, always_call=True)
        self._hooks.callback(before.remove)
        self._hooks.callback(after.remove)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)  # type: ignore[no-untyped-call]
        self._hooks.close()

    def _entering(self, module: nn.Module, args: Any) -> None:
        self._path.append(self._names.get(id(module), self._path[-1]))

    def _leaving(self, module: nn.Module, args: Any, output: Any) -> None:
        name = self._names.get(id(module))
        if name is not None and any(p is not None for p in module._parameters.values()):
            first = output[0] if isinstance(output, tuple) and output else output  # what a recurrent layer returns
            if isinstance(first, Tensor) and first.is_floating_point() and first.numel():
                self.output_rms[name] = max(rms(first), self.output_rms.get(name, 0.0))
        if len(self._path) > 1:
            self._path.pop()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.drops = self.drops or drops(func, args, kwargs or {})
        name = function_name(func)
        if isinstance(result, Tensor) and result.is_floating_point() and result.numel():
            if name in _RECTIFIERS and result.dim() > 1 and len(result) >= _LEAST_ROWS:
                self._worst(self.dead, off(result))
            elif name in _SQUASHERS:
                self._worst(self.saturated, flat(result, _SQUASHERS[name]))
        return result

    def _worst(self, shares: dict[str, float], value: float) -> None:
        shares[self._path[-1]] = max(value, shares.get(self._path[-1], 0.0))


def rms(values: Tensor) -> float:
    """Root of the mean square of all elements, in float32 or better."""
    with untouched(), torch.no_grad():
        values = values.detach()
        wide = torch.float64 if values.dtype is torch.float64 else torch.float32
        return float(torch.linalg.vector_norm(values, dtype=wide)) / math.sqrt(values.numel())


def off(values: Tensor) -> float:
    """Share of the units that are never above 0 in (..., units), or in images (rows, units, height, width)."""
    with untouched(), torch.no_grad():
        alive = values.detach() > 0
        rows = alive.flatten(0, -2) if values.dim() < 4 else alive.flatten(2).any(2)
        return float((~rows.any(0)).float().mean())


def flat(values: Tensor, slope: Callable[[Tensor], Tensor]) -> float:
    """Share of the elements with next to no slope."""
    with untouched(), torch.no_grad():
        return float((slope(values.detach().float()) < _FLAT).float().mean())
