"""The two null predictions: a forward pass in which the head answers 0, and one in which it sees its mean input.

What no prediction costs (L0) and what one answer for every sample costs (Lm): chance, for any loss (THEORY.md,
section 4a). Nothing is written into the model: the calls that the head makes are answered with other arguments.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from torch import Tensor
from torch.overrides import TorchFunctionMode

from gradcheck_cli.probe.heads import Weights, is_plain
from gradcheck_cli.records.ops import CONVOLUTION_CALLS, PRODUCT_CALLS
from gradcheck_cli.runtime.state import function_name

_LAYERS = CONVOLUTION_CALLS | {"linear"}
"""Functions of (input, weight, bias)."""
_OPERANDS = {
    "addmm": ("mat1", "mat2"),
    "addmv": ("mat", "vec"),
    "addbmm": ("batch1", "batch2"),
    "baddbmm": ("batch1", "batch2"),
}
"""Functions of (bias, one, other), and the names of the two."""


class NullUnavailable(Exception):
    """Why a head cannot be given another answer."""


class Product(Protocol):
    """A call of a matrix product by a weight, in which the weight or what goes in can be replaced.

    Attributes:
        samples: Rows over which the mean is taken: samples, tokens, places.
    """

    samples: int

    def zeroed(self) -> None:
        """Put the weight and the bias to 0."""

    def averaged(self) -> None:
        """Put the mean over samples, tokens and places in place of what goes in.

        Raises:
            Unanswerable: Torch does not show all of them at once.
        """

    def fed(self) -> tuple[Tensor, int] | None:
        """What goes in, and which dimension of it holds the channels; None where that is not seen."""

    def call(self, func: Callable[..., Any]) -> Any:
        """What the function returns."""


class Answering(TorchFunctionMode):
    """Inside, the products that `calls` counts are computed of what `change` makes of their arguments."""

    def __init__(self, calls: Collection[int], weights: Weights, change: Callable[[Product], None]) -> None:
        super().__init__()
        self._calls, self._weights, self._change = frozenset(calls), weights, change
        self._seen, self.answered, self.samples = 0, 0, 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = function_name(func)
        if name in PRODUCT_CALLS:
            self._seen += 1
            if self._seen - 1 in self._calls:
                product = product_of(name, args, kwargs or {}, self._weights)
                self._change(product)
                result = product.call(func)
                self.answered += 1
                self.samples = max(self.samples, product.samples)
                return result
        return func(*args, **(kwargs or {}))


def product_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], weights: Weights) -> Product:
    """A call as a product of one weight and one thing that is none.

    Raises:
        Unanswerable: It is no such product, or is called in an unusual way.
    """
    if name == "einsum":
        return _Einsum(args, weights)
    return _Attention(args, kwargs) if name == "multi_head_attention_forward" else _Plain(name, args, kwargs, weights)


def _weight_among(name: str, operands: Sequence[Any], weights: Weights) -> int:
    if len(operands) != 2 or not all(isinstance(each, Tensor) for each in operands):
        raise NullUnavailable(f"{name} is called in an unusual way")
    made = [weights.holds(each) for each in operands]
    if made.count(True) != 1:
        raise NullUnavailable(f"{name} is no product of a weight and an input")
    return made.index(True)


class _Plain:
    """A product whose arguments can be replaced."""

    def __init__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], weights: Weights) -> None:
        given: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
        self._args, self._kwargs = args, kwargs
        keys = self._keys(name, given)
        side = _weight_among(name, [given.get(key) for key in keys], weights)
        self._weight, self._input = keys[side], keys[1 - side]
        biases: tuple[Any, ...] = (0, "input") if name in _OPERANDS else (2, "bias")
        self._bias = next((key for key in biases if key in given), None)
        dims = given[self._input].dim()
        if name in CONVOLUTION_CALLS:
            self._channel = dims - int(name.removesuffix("d")[-1]) - 1
        else:
            self._channel = dims - 2 if side == 0 and dims > 1 else dims - 1
        self._others = [d for d in range(dims) if d != self._channel]
        self.samples = math.prod(given[self._input].shape[d] for d in self._others)

    @staticmethod
    def _keys(name: str, given: dict[Any, Any]) -> list[Any]:
        named = _OPERANDS.get(name) or (("input", "weight") if name in _LAYERS else ("input", "mat2"))
        places = (1, 2) if name in _OPERANDS else (0, 1)
        return [place if place in given else word for place, word in zip(places, named, strict=True)]

    def zeroed(self) -> None:
        for key in (self._weight, self._bias):
            if key is not None and isinstance(value := self._get(key), Tensor):
                self._put(key, value * 0)

    def averaged(self) -> None:
        value: Tensor = self._get(self._input)
        if not is_plain(value):
            raise NullUnavailable("the layer that makes the prediction does not see all samples at once")
        if self._others:
            self._put(self._input, value.mean(self._others, keepdim=True).expand_as(value))

    def fed(self) -> tuple[Tensor, int]:
        return self._get(self._input), self._channel

    def call(self, func: Callable[..., Any]) -> Any:
        return func(*self._args, **self._kwargs)

    def _get(self, key: Any) -> Any:
        return self._args[key] if isinstance(key, int) else self._kwargs[key]

    def _put(self, key: Any, value: Tensor) -> None:
        if isinstance(key, int):
            self._args = (*self._args[:key], value, *self._args[key + 1 :])
        else:
            self._kwargs = {**self._kwargs, key: value}


class _Linear(ABC):
    """A product that is linear in what goes in, so that the mean result is the result of the mean."""

    samples = 0
    _change: Callable[[Tensor], Tensor]

    def zeroed(self) -> None:
        self._change = _nothing

    def averaged(self) -> None:
        self._change = self._mean

    def _mean(self, result: Tensor) -> Tensor:
        if not is_plain(result):
            raise NullUnavailable("the layer that makes the prediction does not see all samples at once")
        dims = self._sampled(result)
        self.samples = math.prod(result.shape[d] for d in dims)
        return result.mean(dims, keepdim=True).expand_as(result) if dims else result

    @abstractmethod
    def _sampled(self, result: Tensor) -> list[int]:
        """The dimensions of a result over which samples differ."""


def _nothing(result: Tensor) -> Tensor:
    return result * 0


class _Einsum(_Linear):
    """`torch.einsum` of a weight and an input: what only the input counts by are samples."""

    def __init__(self, args: tuple[Any, ...], weights: Weights) -> None:
        equation = args[0].replace(" ", "") if args and isinstance(args[0], str) else ""
        self._args = args
        before, arrow, self._result = equation.partition("->")
        if not arrow or "." in equation:
            raise NullUnavailable("einsum is called in an unusual way")
        operands = args[1] if len(args) == 2 and isinstance(args[1], (tuple, list)) else args[1:]
        side = _weight_among("einsum", operands, weights)
        self._input: Tensor = operands[1 - side]
        self._letters, self._shared = before.split(",")[1 - side], before.split(",")[side]

    def fed(self) -> tuple[Tensor, int]:
        own = [i for i, letter in enumerate(self._letters) if letter not in self._shared]
        channels = [i for i in range(len(self._letters)) if i not in own]
        return self._input.permute(own + channels).flatten(len(own)) if channels else self._input, -1

    def call(self, func: Callable[..., Any]) -> Any:
        return self._change(func(*self._args))

    def _sampled(self, result: Tensor) -> list[int]:
        return [i for i, letter in enumerate(self._result) if letter not in self._shared]


class _Attention(_Linear):
    """`F.multi_head_attention_forward`, which ends in a linear layer whose call no mode sees."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._args, self._kwargs = args, kwargs

    def fed(self) -> None:
        return None

    def call(self, func: Callable[..., Any]) -> Any:
        output, attention = func(*self._args, **self._kwargs)
        return self._change(output), attention

    def _sampled(self, result: Tensor) -> list[int]:
        return list(range(result.dim() - 1))
