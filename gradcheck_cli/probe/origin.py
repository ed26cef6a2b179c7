"""Find the first op of a forward pass whose inputs are finite and whose output is not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gradcheck_cli.probe.sources import SourceTable
from gradcheck_cli.probe.tracer import Tracer
from gradcheck_cli.probe.trees import tensors_in
from gradcheck_cli.records.measurement import Origin

_FILLS = frozenset(
    "masked_fill masked_fill_ full full_like fill fill_ where scalar_tensor new_full lift_fresh _to_copy detach "
    "copy_ zero_ empty empty_like new_empty empty_strided new_empty_strided empty_permuted triu tril "
    "masked_scatter".split()
)
"""Ops that write a constant, such as an attention mask's -inf: no arithmetic went wrong in them. What
`empty` returns was never written to."""


class OriginSearch(TorchDispatchMode):
    """Checks every op of the forward pass that runs inside it, up to the first bad one.

    It lets the pass run on from there: an exception would meet the user's own handlers on its way out.
    """

    def __init__(self, tracer: Tracer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tracer = tracer
        self._found: dict[str, Any] | None = None
        self._place: Any = None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._found is not None:
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        inputs = list(_floating((args, kwargs)))
        finite, clean = _all(torch.isfinite, inputs), _all(_not_nan, inputs)
        first = _extremes(inputs)
        result = func(*args, **kwargs)
        outputs = list(_floating(result))
        made_nan = clean and not _all(_not_nan, outputs)
        if name not in _FILLS and (made_nan or (finite and not _all(torch.isfinite, outputs))):
            self._record(name, inputs, first, "nan" if made_nan else "inf")
            self._place = self._tracer.place_of(sys._getframe())
        return result

    def _record(self, name: str, inputs: list[Tensor], first: tuple[float, float] | None, produced: str) -> None:
        self._found = {
            "op": name,
            "module": self._tracer.current_module,
            "produced": produced,
            "smallest": first and first[0],
            "largest": first and first[1],
            "shapes": tuple(tuple(t.shape) for t in inputs),
        }

    def origin(self, sources: SourceTable) -> Origin | None:
        """What was found, or None where every op of the replay was finite."""
        return None if self._found is None else Origin(source=sources.line(self._place), **self._found)


def _floating(tree: Any) -> Iterator[Tensor]:
    return (t for t in tensors_in(tree) if t.is_floating_point() or t.is_complex())


def _not_nan(tensor: Tensor) -> Tensor:
    return ~torch.isnan(tensor)


def _all(test: Callable[[Tensor], Tensor], tensors: list[Tensor]) -> bool:
    return all(bool(test(t).all()) for t in tensors)


def _extremes(inputs: list[Tensor]) -> tuple[float, float] | None:
    """Smallest and largest value of the first input, read before an in-place op changes it."""
    if not inputs or not inputs[0].numel() or inputs[0].is_complex():
        return None
    return float(inputs[0].detach().min()), float(inputs[0].detach().max())
