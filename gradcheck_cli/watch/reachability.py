"""What the calls of a step reach beside models and batches: the state guard has to know what they change there."""

from __future__ import annotations

import dis
import functools
import queue
import random
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import IOBase
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradcheck_cli.runtime.modelcopy import held_by
from gradcheck_cli.runtime.state.containers import Names
from gradcheck_cli.runtime.state.objects import enters, own_dict
from gradcheck_cli.watch.places import kind_of

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_LARGEST = 10_000
"""Of a container of the user's that is put back after a replay; a larger one is data."""
_DEEPEST = 3
"""Functions of the user's that call each other."""
_CONTAINERS = (list, dict, set, deque)
_STATES = (Tensor, np.ndarray, torch.Generator, random.Random, np.random.Generator, np.random.RandomState)


class Reached:
    """What the functions and hooks of modules reach, and the classes of the tensors that are given to them.

    Attributes:
        state: Objects that the state guard can put back, and names that they may bind anew.
        drawn: What they draw from and nobody can put back, such as a generator: in words, empty for none.
    """

    def __init__(self, modules: Iterable[nn.Module], given: Iterable[Tensor] = ()) -> None:
        self.state: list[Any] = []
        self.drawn = ""
        self._seen: set[int] = set()
        for replaced in (nn.Module.__call__, Tensor.backward, torch.autograd.backward):
            self._value("", replaced, _DEEPEST)  # the script may have put its own around them
        for tensor in given:
            self._kind(type(tensor))
        for module in modules:
            for function in _functions(module):
                self._function(function, _DEEPEST)
            self._kind(type(module))
            for name, value in own_dict(module).items():
                if _is_spent(value) and name in _names_of(type(module)):
                    self.drawn = self.drawn or _told(name, value)

    def _new(self, value: Any) -> bool:
        known = id(value) in self._seen
        self._seen.add(id(value))
        return not known

    def _function(self, function: Any, depth: int) -> None:
        if not self._new(function):
            return
        if isinstance(function, functools.partial):
            for value in held_by(function):
                self._value("", value, depth)
            return
        self.state += function.__closure__ or ()
        bound = _globals(function.__code__, "STORE_GLOBAL", "DELETE_GLOBAL")
        if bound:
            self.state.append(Names(function.__globals__, bound))
        names = {id(value): name for name, value in _named(function)}
        for value in (*held_by(function), *_by_way_of_modules(function)):
            self._value(names.get(id(value), ""), value, depth)

    def _value(self, name: str, value: Any, depth: int) -> None:
        if isinstance(value, FunctionType):
            if depth and kind_of(value.__code__.co_filename) == "user":
                self._function(value, depth - 1)
        elif isinstance(value, _CONTAINERS):
            if len(value) <= _LARGEST:
                self.state.append(value)
        elif isinstance(value, queue.Queue):
            self.state += [value.queue, Names(vars(value), ("unfinished_tasks",))]
        elif name and _is_spent(value):
            self.drawn = self.drawn or _told(name, value)
        elif isinstance(value, _STATES) or (not isinstance(value, (type, nn.Module)) and _is_users(type(value))):
            self.state.append(value)
        elif isinstance(value, type):
            self._kind(value)

    def _kind(self, kind: type) -> None:
        """Attributes of classes of the user's: counters, and what all instances share."""
        for each in kind.__mro__:
            if _is_users(each) and self._new(each):
                own = {n: v for n, v in vars(each).items() if not n.startswith("__") and not _is_part_of_a_class(v)}
                self.state.append(Names(each, tuple(own)))
                self.state += [v for v in own.values() if isinstance(v, _CONTAINERS) and len(v) <= _LARGEST]


def _functions(module: nn.Module) -> Iterator[Any]:
    """The functions that a call of a module runs, those of its hooks included."""
    hooks = [vars(module).get(name) for name in _HOOKS]
    hooks += [parameter._backward_hooks for parameter in module._parameters.values() if parameter is not None]
    yield from (f for each in hooks for f in (each or {}).values() if isinstance(f, (FunctionType, functools.partial)))
    forward = getattr(type(module), "forward", None)  # that of a scripted module cannot be read
    if isinstance(forward, FunctionType):
        yield forward
    yield from _methods(type(module))


def _methods(kind: type) -> tuple[FunctionType, ...]:
    """The functions of a class that are the user's."""
    found = (item for each in kind.__mro__ if _is_users(each) for item in vars(each).items())
    return tuple(value for name, value in found if isinstance(value, FunctionType) and name != "__init__")


def _names_of(kind: type) -> frozenset[str]:
    """The names that the functions of a class use."""
    return frozenset(name for method in _methods(kind) for name in _used(method.__code__))


def _is_users(kind: type) -> bool:
    """Whether a class is defined in a file of the user's."""
    if _is_users_module(sys.modules.get(kind.__module__)):
        return True
    found = (getattr(value, "__func__", value) for value in vars(kind).values())  # of a class method, the function
    return any(isinstance(value, FunctionType) and kind_of(value.__code__.co_filename) == "user" for value in found)


def _is_users_module(module: Any) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and kind_of(file) == "user"


def _is_part_of_a_class(value: Any) -> bool:
    return callable(value) or hasattr(type(value), "__get__")


def _is_spent(value: Any) -> bool:
    """Whether what was taken from it is gone: an iterator that the state guard cannot look into, a queue of C's."""
    if isinstance(value, queue.SimpleQueue):
        return True
    if getattr(type(value), "__next__", None) is None or isinstance(value, IOBase):
        return False
    return not enters(type(value)) or any(map(_is_spent, own_dict(value).values()))


def _told(name: str, value: Any) -> str:
    return f"`{name}`, a {type(value).__name__}, is drawn from in the step and cannot be put back"


def _globals(code: CodeType, *operations: str) -> tuple[str, ...]:
    """The globals on which code does one of these operations."""
    names = [str(i.argval) for each in _codes(code) for i in dis.get_instructions(each) if i.opname in operations]
    return tuple(dict.fromkeys(names))


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _by_way_of_modules(function: FunctionType) -> Iterator[Any]:
    """What a function may mean by `module.name`, of modules of the user's."""
    spaces = [vars(value) for _, value in _named(function) if isinstance(value, ModuleType) and _is_users_module(value)]
    yield from (space[name] for name in set(_used(function.__code__)) for space in spaces if name in space)


def _used(code: CodeType) -> Iterator[str]:
    for each in _codes(code):
        yield from each.co_names


def _named(function: FunctionType) -> Iterator[tuple[str, Any]]:
    space = function.__globals__
    yield from ((name, space[name]) for name in _globals(function.__code__, "LOAD_GLOBAL") if name in space)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # it is filled later
            yield name, cell.cell_contents
