"""Parameters that torch.nn.init has filled since the script began, and that hold those values still."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling

from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.taps import Undo, put
from gradcheck_cli.watch.tracebacks import hidden

_FILLS = (
    "uniform_",
    "normal_",
    "trunc_normal_",
    "xavier_uniform_",
    "xavier_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
    "orthogonal_",
    "sparse_",
)
_ENOUGH = 16
"""First values by which what was drawn is known again: `.data` is written into without a word."""


class InitialisedParameters:
    """Notes them.

    Args:
        is_ours: Whether what is done now is done by the thread that is watched.
        guarded: Inside, nothing that goes wrong reaches the script.
    """

    def __init__(self, is_ours: Callable[[], bool], guarded: AbstractContextManager[None]) -> None:
        self._is_ours, self._guarded = is_ours, guarded
        self._noted: dict[int, tuple[weakref.ref[Tensor], Tensor]] = {}

    def install(self) -> list[Undo]:
        """Begin to note; what undoes it."""
        return [put(nn.init, name, self._noting) for name in _FILLS]

    def as_drawn(self, parameter: Tensor) -> bool:
        """Whether a parameter holds what was drawn for it."""
        noted = self._noted.get(id(parameter))
        return noted is not None and noted[0]() is parameter and torch.equal(noted[1], _beginning(parameter))

    def _noting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @hidden
        @functools.wraps(original)
        def drawn(*args: Any, **kwargs: Any) -> Any:
            returned = original(*args, **kwargs)
            if type(returned) is nn.Parameter and not is_compiling() and self._is_ours():
                with self._guarded, untouched():
                    if returned.is_meta or not returned.numel():
                        return returned
                    forget = functools.partial(self._noted.pop, id(returned), None)
                    self._noted[id(returned)] = weakref.ref(returned, lambda _: forget()), _beginning(returned)
            return returned

        return drawn


def _beginning(parameter: Tensor) -> Tensor:
    values = parameter.detach()
    while values.dim() > 1:
        values = values[0]
    return values[:_ENOUGH].clone()
