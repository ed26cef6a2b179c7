"""Find the first op of a forward pass whose inputs are finite and whose output is not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gradcheck_cli.probe.sources import SourceTable
from gradcheck_cli.probe.tracer import Place, Tracer
from gradcheck_cli.probe.trees import tensors_in
from gradcheck_cli.records import Origin


class StopSearch(BaseException):
    """The origin is found; not an Exception, so that no handler in the user's code swallows it."""


class OriginSearch(TorchFunctionMode):
    """Checks every op of the forward pass that runs inside it, and stops that pass at the first bad one.

    Composite functions are searched from within, so that the op that is named is the one that failed.
    """

    def __init__(self, tracer: Tracer) -> None:
        super().__init__()
        self._tracer = tracer
        self._found: dict[str, Any] | None = None
        self._place: Place | None = None

    def __torch_function__(  # noqa: D105
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        frame = sys._getframe(1)
        if getattr(func, "__module__", "") == "torch.nn.functional":
            with self:
                return func(*args, **kwargs)
        result = func(*args, **kwargs)
        bad = next((t for t in _floating(result) if not torch.isfinite(t).all()), None)
        if bad is not None and all(torch.isfinite(t).all() for t in _floating((args, kwargs))):
            self._record(func, args, kwargs, bad)
            self._place = self._tracer.place_of(frame)
            raise StopSearch
        return result

    def _record(self, func: Any, args: Any, kwargs: Any, bad: Tensor) -> None:
        inputs = [t.detach() for t in _floating((args, kwargs))]
        first = inputs[0] if inputs and inputs[0].numel() and not inputs[0].is_complex() else None
        self._found = {
            "op": getattr(func, "__name__", "?"),
            "module": self._tracer.current_module,
            "produced": "nan" if torch.isnan(bad).any() else "inf",
            "smallest": None if first is None else float(first.min()),
            "largest": None if first is None else float(first.max()),
            "shapes": tuple(tuple(t.shape) for t in inputs),
        }

    def origin(self, sources: SourceTable) -> Origin | None:
        """What was found, or None where every op of the replay was finite."""
        return None if self._found is None else Origin(source=sources.line(self._place), **self._found)


def _floating(tree: Any) -> Iterator[Tensor]:
    return (t for t in tensors_in(tree) if t.is_floating_point() or t.is_complex())
