"""A copy of a model that can be trained without a trace in the original: proved, not assumed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cached_property, partial
from types import CellType, FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradcheck_cli.runtime import tensors
from gradcheck_cli.runtime.state.objects import Found, path_of, walk

_FUNCTIONS = (FunctionType, partial)


class NotIndependent(Exception):
    """Why no copy of a model can be had that is its own."""


def independent_copy(model: nn.Module) -> nn.Module:
    """A deep copy of `model` that shares no module, no tensor's memory and no generator with it.

    Nor does a hook or another function that hangs on the copy reach into the original, by what it closes over, by its
    defaults or by a global name. What is found costs a walk over both, and no memory beyond the copy's.

    Raises:
        NotIndependent: It cannot be copied, or the copy shares something; the message says what.
    """
    try:
        made = copy.deepcopy(model)
    except Exception as error:  # a model may hold locks, files, or tensors inside a graph
        raise NotIndependent(f"the model cannot be copied: {type(error).__name__}: {_first_line(error)}") from error
    if not isinstance(made, nn.Module):
        raise NotIndependent(f"a copy of the model is a {type(made).__name__}")
    original = _Owned(model)
    for found in walk([("", made)]):
        if shared := original.shared(found):
            raise NotIndependent(f"a copy of the model shares {shared} with the model")
    return made


class _Owned:
    """All that belongs to a model."""

    def __init__(self, model: nn.Module) -> None:
        self._parts = list(walk([("", model)]))
        self._paths = {id(found[0]): path_of(found) for found in self._parts if _is_state(found[0])}

    @cached_property
    def _memory(self) -> set[Any]:
        return {key for found in self._parts for key in _memory(found[0])}

    def shared(self, found: Found) -> str:
        """In words what of the model `found` is, or reaches; empty where nothing."""
        value = found[0]
        if id(value) in self._paths:
            return f"`{self._paths[id(value)]}`"
        if any(key in self._memory for key in _memory(value)):
            return f"the memory of `{path_of(found)}`"
        if isinstance(value, _FUNCTIONS):
            reached = next((self._paths[id(r)] for r in _reached(value) if id(r) in self._paths), "")
            return f"`{reached}` through a function ({_name(value)})" if reached else ""
        return ""


def _is_state(value: Any) -> bool:
    """Whether it must not be in two models at once; what nobody writes into may be shared."""
    generators = torch.Generator, np.random.Generator, np.random.RandomState
    return isinstance(value, (nn.Module, Tensor, np.ndarray, torch.optim.Optimizer, *generators))


def _memory(value: Any) -> Iterator[Any]:
    """Keys of the storages behind a tensor or an array."""
    if isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):
            value = value.base
        if value.nbytes and not value.dtype.hasobject:
            yield "cpu", value.ctypes.data
    elif isinstance(value, Tensor):
        for stretch in tensors.bits(value) or ():
            for part in stretch:
                if part.numel():
                    yield str(part.device), part.untyped_storage().data_ptr()


def _reached(function: Any, depth: int = 3) -> Iterator[Any]:
    """What a function can write into: what it closes over, its defaults, and the globals that it names."""
    roots = [("", value) for value in held_by(function)]
    for value, *_ in walk(roots):
        yield value
        if depth and isinstance(value, _FUNCTIONS):
            yield from _reached(value, depth - 1)


def held_by(function: Any) -> Iterator[Any]:
    """What a function closes over, its defaults, and the globals that it names; of a partial, what it is made of."""
    if isinstance(function, partial):
        yield from (function.func, function.args, function.keywords)
        return
    yield from (content for cell in function.__closure__ or () if (content := _content(cell)) is not None)
    yield from (function.__defaults__ or (), function.__kwdefaults__ or {})
    yield from (function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__)


def _names(code: Any) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            yield from _names(constant)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is filled later
        return None


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:120]
