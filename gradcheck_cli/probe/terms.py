"""Watch where scalars are added up, to know the terms of a loss and their values, which autograd does not keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from gradcheck_cli.probe.targetcomparisons import is_plain
from gradcheck_cli.records.ops import DIVISIONS, MEANS_AND_SUMS, PRODUCTS, SUBTRACTING_CALLS, VIEW_LIKE, stem
from gradcheck_cli.records.term import Term
from gradcheck_cli.runtime.norms import Scalar, settle
from gradcheck_cli.runtime.tensors import untouched

_MOST = 1024
"""Sums of scalars that are kept in one pass: an unrolled loop repeats itself."""
_SCALING = PRODUCTS | DIVISIONS | MEANS_AND_SUMS | VIEW_LIKE | {"Neg"}
"""What may lie between the loss and the sum that it is a multiple of."""


class ScalarSums:
    """Every sum of scalars of one forward pass, by its node: its value, and what was added with its share."""

    def __init__(self) -> None:
        self._sums: dict[Any, tuple[Scalar, list[tuple[Any, Scalar]]]] = {}

    def note(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
        """Something was added, subtracted or stacked."""
        if len(self._sums) >= _MOST or not is_plain(result) or result.grad_fn is None or result.is_complex():
            return
        if name == "stack":
            self._note_stack(args, result)
        elif result.numel() == 1:
            with untouched():
                self._note_sum(name, args, kwargs, result)

    def _note_sum(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Tensor) -> None:
        nodes = [node for node, _ in result.grad_fn.next_functions]  # type: ignore[union-attr]
        other = args[1] if len(args) > 1 else kwargs.get("other", 0.0)
        second = _value(other) * kwargs.get("alpha", 1)
        if name in SUBTRACTING_CALLS:
            second = -second
        value = _value(result)
        shares = zip(nodes, (value - second, second), strict=False)
        self._sums[result.grad_fn] = value, [(node, share) for node, share in shares if node is not None]

    def _note_stack(self, args: Sequence[Any], result: Tensor) -> None:
        parts = args[0] if args and isinstance(args[0], (list, tuple)) else ()
        if parts and all(type(part) is Tensor and part.numel() == 1 for part in parts):
            with untouched():
                values = [_value(part) for part in parts]
                nodes = [part.grad_fn for part in parts]
                added = [(node, value) for node, value in zip(nodes, values, strict=True) if node is not None]
                self._sums[result.grad_fn] = sum(values), added

    def release(self) -> None:
        """Let go of nodes."""
        self._sums.clear()

    def settled(self, loss: float, root: Any, position: Mapping[Any, int]) -> tuple[Term, ...]:
        """The terms of a loss whose node is `root`, in plain numbers; the loss alone where it is no sum."""
        top = root
        while top not in self._sums and (below := _scaled(top)) is not None:
            top = below
        if top not in self._sums:
            return (Term(0, loss),)
        found = list(self._added(top))
        total, *values = settle([self._sums[top][0], *(value for _, value in found)])
        factor = loss / total if total else 1.0
        nodes = (node for node, _ in found)
        return tuple(
            Term(position[node], value * factor) for node, value in zip(nodes, values, strict=True) if node in position
        )

    def _added(self, top: Any) -> Iterator[tuple[Any, Scalar]]:
        """What is added up at `top`, through sums of sums."""
        waiting = list(self._sums[top][1])
        while waiting:
            node, value = waiting.pop()
            if node in self._sums:
                waiting += self._sums[node][1]
            else:
                yield node, value


def _value(number: Any) -> Any:
    """A scalar's value, which may still be on its device."""
    return number.detach().reshape(()) if isinstance(number, Tensor) else number


def _scaled(node: Any) -> Any:
    """What a node is a multiple of; None where it is more than that."""
    below = [child for child, _ in node.next_functions if child is not None]
    return below[0] if len(below) == 1 and stem(node.name()) in _SCALING else None
