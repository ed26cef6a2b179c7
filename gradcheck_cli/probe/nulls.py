"""The two null predictions: a forward pass in which the head answers 0, and one in which it sees its mean input.

What no prediction costs (L0) and what one answer for every sample costs (Lm): chance, for any loss (THEORY.md,
section 4a). Nothing is written into the model: the calls that the head makes are answered with other arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from gradcheck_cli.probe.heads import Weights
from gradcheck_cli.records.ops import CONVOLUTION_CALLS, PRODUCT_CALLS
from gradcheck_cli.runtime.state import function_name

_LAYERS = CONVOLUTION_CALLS | {"linear"}
"""Functions of (input, weight, bias)."""
_WITH_BIAS_FIRST = frozenset(("addmm", "baddbmm"))
"""Functions of (bias, one, other)."""


class Unanswerable(Exception):
    """Why a head cannot be given another answer."""


class Answering(TorchFunctionMode):
    """Inside, the products that `calls` counts are computed of what `change` makes of their arguments."""

    def __init__(self, calls: Collection[int], weights: Weights, change: Callable[[Product], Product]) -> None:
        super().__init__()
        self._calls, self._weights, self._change = frozenset(calls), weights, change
        self._seen, self.answered = 0, 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = function_name(func)
        if name in PRODUCT_CALLS:
            self._seen += 1
            if self._seen - 1 in self._calls:
                args, kwargs = self._change(Product(name, args, kwargs or {}, self._weights)).call()
                self.answered += 1
        return func(*args, **(kwargs or {}))


class Product:
    """A call of a matrix product by a weight: what goes in, the weight, and its bias.

    Raises:
        Unanswerable: It is not a product of one weight and one thing that is none.
    """

    def __init__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], weights: Weights) -> None:
        given = dict(enumerate(args)) | kwargs
        self._args, self._kwargs = args, kwargs
        keys = self._keys(name, given)
        made = [weights.holds(given[key]) for key in keys]
        if made.count(True) != 1:
            raise Unanswerable(f"{name} is no product of a weight and an input")
        side = made.index(True)
        self._weight, self._input = keys[side], keys[1 - side]
        self._bias = 0 if name in _WITH_BIAS_FIRST else next((k for k in (2, "bias") if k in given), None)
        tensor: Tensor = given[self._input]
        spatial = int(name[4]) if name in CONVOLUTION_CALLS and name[4].isdigit() else None
        if name.startswith("conv_transpose"):
            spatial = int(name[-2])
        if spatial is not None:
            self.channel = tensor.dim() - spatial - 1
        else:
            self.channel = tensor.dim() - 2 if side == 0 and tensor.dim() > 1 else tensor.dim() - 1

    @staticmethod
    def _keys(name: str, given: dict[Any, Any]) -> tuple[Any, Any]:
        named = ("input", "weight") if name in _LAYERS else ("mat1", "mat2")
        places = (1, 2) if name in _WITH_BIAS_FIRST else (0, 1)
        keys = tuple(place if place in given else word for place, word in zip(places, named, strict=True))
        if not all(isinstance(given.get(key), Tensor) for key in keys):
            raise Unanswerable(f"{name} is called in an unusual way")
        return keys[0], keys[1]

    @property
    def input(self) -> Tensor:
        """What is multiplied by the weight."""
        found: Tensor = self._get(self._input)
        return found

    def zeroed(self) -> Product:
        """The same call with the weight and the bias at 0."""
        for key in (self._weight, self._bias):
            if key is not None and isinstance(value := self._get(key), Tensor):
                self._put(key, value * 0)
        return self

    def averaged(self) -> Product:
        """The same call with the mean over samples, tokens and places in place of what goes in."""
        value = self.input
        others = [d for d in range(value.dim()) if d != self.channel]
        if others:
            self._put(self._input, value.mean(others, keepdim=True).expand_as(value))
        return self

    def call(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments."""
        return self._args, self._kwargs

    def _get(self, key: Any) -> Any:
        return self._args[key] if isinstance(key, int) else self._kwargs[key]

    def _put(self, key: Any, value: Tensor) -> None:
        if isinstance(key, int):
            self._args = (*self._args[:key], value, *self._args[key + 1 :])
        else:
            self._kwargs = {**self._kwargs, key: value}
