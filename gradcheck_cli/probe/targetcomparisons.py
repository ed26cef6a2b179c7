"""Watch what the code of a loss compares: the shapes and ranges of outputs and targets, and what becomes of it."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gradcheck_cli.records.ops import (
    CLAMPING_CALLS,
    COMPARING_CALLS,
    DISTANCE_CALLS,
    ELEMENTWISE_CALLS,
    LOSS_CALLS,
    MEAN_CALLS,
    VIEW_LIKE,
    VIEWING_CALLS,
    WEIGHING_CALLS,
    stem,
)
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.targetcomparison import Side, TargetComparison
from gradcheck_cli.runtime.norms import Scalar, settle
from gradcheck_cli.runtime.tensors import untouched

_MOST = 64
"""Comparisons that are looked at in one pass: an unrolled loop repeats itself."""
_LOOKED_AT = 4096
"""Numbers that tell whether all are whole ones."""
_ROUNDING = 1e-4
"""By how much of a bound a target may lie beyond it."""
_LEAST, _MOST_OF = -math.inf, math.inf
_RANGES: Mapping[str, tuple[float, float]] = {
    "Sigmoid": (0.0, 1.0),
    "Hardsigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "Relu": (0.0, _MOST_OF),
    "Softplus": (0.0, _MOST_OF),
    "Exp": (0.0, _MOST_OF),
    "LogSigmoid": (_LEAST, 0.0),
    "LogSoftmax": (_LEAST, 0.0),
}
"""By stem, what an activation can put out."""
_HELD: Mapping[str, tuple[str, str]] = {
    "Clamp": ("_saved_min", "_saved_max"),
    "ClampMin": ("_saved_min", ""),
    "ClampMax": ("", "_saved_max"),
    "Hardtanh": ("_saved_min_val", "_saved_max_val"),
}
"""By stem, where a node keeps the bounds that it was given."""


class Raw:
    """A comparison as it was seen, with numbers that may still be on their device."""

    def __init__(self, function: str, place: Any, output: Tensor, target: Tensor, result: Tensor) -> None:
        self.function, self.node, self.place = function, result.grad_fn, place
        self.output_shape, self.target_shape = tuple(output.shape), tuple(target.shape)
        self.shape = _compared_shape(function, output, target, result)
        maker = _maker(output.grad_fn)
        self.made_by = stem(maker.name()) if maker is not None else ""
        self.low, self.high = _range(maker, self.made_by)
        learned, given = (_countable(t.detach()) for t in (output, target))
        self.numbers: list[Scalar] = [*torch.aminmax(learned), *torch.aminmax(given)]
        self.spread = given.is_floating_point()
        if self.spread:
            self.numbers += [given.std(correction=0), _wholeness(given)]
        self.bounded = math.isfinite(self.low) or math.isfinite(self.high)
        if self.bounded:
            low, high = self.low - _ROUNDING * abs(self.low), self.high + _ROUNDING * abs(self.high)
            self.numbers.append(((given < low) | (given > high)).float().mean())
        self.clipped: Scalar = 0.0
        self.averaged = function in LOSS_CALLS and not result.dim()
        self.elsewhere = False

    @property
    def outer(self) -> bool:
        """Whether more was compared than either side holds."""
        return math.prod(self.shape) > max(math.prod(self.output_shape), math.prod(self.target_shape))

    def settled(self, numbers: list[float], op: int, source: SourceLine | None) -> TargetComparison:
        """It in plain numbers."""
        spread, whole = (numbers[4], bool(numbers[5])) if self.spread else (None, True)
        return TargetComparison(
            function=self.function,
            op=op,
            source=source,
            output=Side(shape=self.output_shape, least=numbers[0], most=numbers[1]),
            target=Side(shape=self.target_shape, least=numbers[2], most=numbers[3], spread=spread, whole=whole),
            shape=self.shape,
            made_by=self.made_by,
            low=self.low,
            high=self.high,
            outside=numbers[-2] if self.bounded else None,
            clipped=numbers[-1],
            averaged=self.averaged and not self.elsewhere,
        )


class Comparisons:
    """Every comparison of one forward pass."""

    def __init__(self) -> None:
        self.found: list[Raw] = []
        self._followed: dict[int, tuple[weakref.ref[Tensor], Raw]] = {}

    def note(self, name: str, args: Any, kwargs: Any, result: Any, place: Callable[[], Any]) -> None:
        """A torch function was called, outside of all modules or as a loss; `place` finds the line."""
        if self._followed:
            self._follow(name, (*args, *(kwargs or {}).values()), result)
        if name not in COMPARING_CALLS or len(self.found) >= _MOST or not isinstance(result, Tensor):
            return
        pair = _pair(args, kwargs or {})
        if pair is None or (name in WEIGHING_CALLS and pair[0].dim() == pair[1].dim()):
            return
        with untouched():
            raw = Raw(name, place(), *pair, result)
        self.found.append(raw)
        if not raw.averaged:
            self._mark(result, raw)

    def _mark(self, tensor: Tensor, raw: Raw) -> None:
        self._followed[id(tensor)] = (weakref.ref(tensor), raw)

    def _known(self, value: Any) -> Raw | None:
        followed = self._followed.get(id(value))
        return followed[1] if followed is not None and followed[0]() is value else None

    def _follow(self, name: str, values: Sequence[Any], result: Any) -> None:
        """What is made of a comparison: a function of each element, a mean of them, or anything else."""
        for raw in {id(r): r for value in values if (r := self._known(value)) is not None}.values():
            if not isinstance(result, Tensor):
                raw.elsewhere |= isinstance(result, tuple)
                continue
            if not result.requires_grad:
                continue  # a metric, or what chooses between elements
            if name in MEAN_CALLS and not result.dim():
                raw.averaged = True
                continue
            if name in CLAMPING_CALLS:
                self._note_clipping(values, result, raw)
            if name in MEAN_CALLS or name in VIEWING_CALLS or self._is_of_each(name, values, raw):
                self._mark(result, raw)
            else:
                raw.elsewhere = True

    def _note_clipping(self, values: Sequence[Any], result: Tensor, raw: Raw) -> None:
        with untouched():
            for value in values:
                if self._known(value) is raw and value.shape == result.shape:
                    raw.clipped = (value != result).float().mean()

    def _is_of_each(self, name: str, values: Sequence[Any], raw: Raw) -> bool:
        """Whether a function acts on each element alike, rather than by a mask over pairs."""
        others = [v for v in values if isinstance(v, Tensor) and v.is_floating_point() and self._known(v) is None]
        return name in ELEMENTWISE_CALLS and not (raw.outer and any(tuple(v.shape) == raw.shape for v in others))

    def release(self) -> None:
        """Let go of nodes."""
        self.found.clear()
        self._followed.clear()

    def settled(
        self, position: Mapping[Any, int], line: Callable[[Any], SourceLine | None]
    ) -> tuple[TargetComparison, ...]:
        """All of them in plain numbers; `position` gives the index of a node, `line` the line of a place."""
        numbers = iter(settle([n for raw in self.found for n in (*raw.numbers, raw.clipped)]))
        return tuple(
            raw.settled([next(numbers) for _ in (*raw.numbers, 0)], position.get(raw.node, -1), line(raw.place))
            for raw in self.found
        )


def _compared_shape(function: str, output: Tensor, target: Tensor, result: Tensor) -> tuple[int, ...]:
    """The shape of what is compared element by element, before any mean."""
    if function in DISTANCE_CALLS:
        return tuple(torch.broadcast_shapes(output.shape, target.shape))
    return tuple(output.shape) if function in LOSS_CALLS else tuple(result.shape)


def _countable(tensor: Tensor) -> Tensor:
    """In a dtype that has extremes and a standard deviation."""
    return tensor.float() if tensor.dtype in (torch.bool, torch.float16, torch.bfloat16) else tensor


def _wholeness(numbers: Tensor) -> Tensor:
    """1 where the first of these numbers are whole, else 0."""
    first = numbers.reshape(-1)[:_LOOKED_AT]
    return (first == first.round()).all().float()


def _pair(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Tensor, Tensor] | None:
    """The side that is learned and the side that is given; None where it is not one of each, in plain numbers."""
    both = [*args[:2], *(kwargs[key] for key in ("input", "target", "other") if key in kwargs)][:2]
    if len(both) < 2 or not all(is_plain(value) for value in both):
        return None
    learned = [t for t in both if t.requires_grad]
    given = [t for t in both if not t.requires_grad]
    if len(learned) != 1 or not learned[0].is_floating_point() or given[0].is_complex():
        return None
    return learned[0], given[0]


def is_plain(value: Any) -> bool:
    """Whether it is one tensor of numbers that can be read."""
    if type(value) is not Tensor or value.layout is not torch.strided or value.is_nested or not value.numel():
        return False
    return not torch._C._functorch.is_functorch_wrapped_tensor(value) and value.device.type != "meta"


def _maker(node: Any) -> Any:
    """The node that made a value, behind views."""
    while node is not None and stem(node.name()) in VIEW_LIKE and node.next_functions:
        node = node.next_functions[0][0]
    return node


def _range(node: Any, made_by: str) -> tuple[float, float]:
    if made_by in _HELD:
        low, high = (getattr(node, name, None) if name else None for name in _HELD[made_by])
        return _number(low, _LEAST), _number(high, _MOST_OF)
    return _RANGES.get(made_by, (_LEAST, _MOST_OF))


def _number(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, (int, float)) else otherwise
