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
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks

from gradcheck_cli.runtime.modelcopy import held_by
from gradcheck_cli.runtime.state.containers import Names
from gradcheck_cli.runtime.state.objects import enters, own_dict
from gradcheck_cli.watch.places import kind_of

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_HOOKS_OF_ALL = tuple(f"_global{name}" for name in _HOOKS)
_LARGEST = 10_000
"""Of a container of the user's that is put back after a replay; a larger one is data."""
_FEW = 100
"""Of a container in which functions are looked for."""
_MOST = 1_000
"""Functions of the user's that call each other."""
_CONTAINERS = (list, dict, set, deque)
_STATES = (Tensor, np.ndarray, torch.Generator, random.Random)
_PLAIN = (FunctionType, MethodType, functools.partial, BuiltinFunctionType)


class Reached:
    """What the functions and hooks of modules reach, and the classes of the tensors that are given to them.

    Of an object that they use, those methods are followed whose names they use.

    Attributes:
        state: Objects that the state guard can put back, and names that they may bind anew.
        drawn: What they draw from and nobody can put back, such as a generator: in words, empty for none.
    """

    def __init__(self, modules: Iterable[nn.Module], given: Iterable[Tensor] = ()) -> None:
        self.state: list[Any] = []
        self.drawn = ""
        self._seen: set[Any] = set()
        self._functions = 0
        for replaced in (nn.Module.__call__, Tensor.backward, torch.autograd.backward):
            self._value("", replaced)  # the script may have put its own around them
        for hook in (hook for name in _HOOKS_OF_ALL for hook in getattr(module_hooks, name).values()):
            self._value("", hook)
        for tensor in given:
            self._kind(type(tensor))
        for module in modules:
            for hook in _hooks_of(module):
                self._hook(hook, module)
            for function in _functions_of(module):
                self._function(function)
            self._kind(type(module))
            for name, value in own_dict(module).items():
                if _is_spent(value) and name in _names_of(type(module)):
                    self.drawn = self.drawn or _told(name, value)

    def _new(self, value: Any, used: Any = None) -> bool:
        key = (id(value), used)
        known = key in self._seen
        self._seen.add(key)
        return not known

    def _hook(self, hook: Any, module: nn.Module) -> None:
        """A hook, whoever wrote it; one that nobody can look into may change what nobody puts back."""
        if isinstance(hook, FunctionType):
            self._function(hook)
        elif isinstance(hook, MethodType) and isinstance(hook.__func__, FunctionType):
            self._function(hook.__func__)
            self._value("", hook.__self__)
        elif isinstance(hook, functools.partial):
            self._value("", hook)
        elif isinstance(called := _called(type(hook)), FunctionType):
            self._function(called)
            self._value("", hook)
        else:
            told = f"a hook of {type(module).__name__} is a {type(hook).__name__}, into which nobody can look"
            self.drawn = self.drawn or f"{told}: what it changes cannot be put back"

    def _function(self, function: FunctionType) -> None:
        if not self._new(function) or self._functions >= _MOST:
            return
        self._functions += 1
        self.state += function.__closure__ or ()
        if function.__dict__:
            self.state.append(function.__dict__)
        bound = _globals(function.__code__, "STORE_GLOBAL", "DELETE_GLOBAL")
        if bound:
            self.state.append(Names(function.__globals__, bound))
        names, used = {id(value): name for name, value in _named(function)}, _used(function.__code__)
        for value in (*held_by(function), *_by_way_of_modules(function)):
            self._value(names.get(id(value), ""), value, used)

    def _value(self, name: str, value: Any, used: frozenset[str] = frozenset()) -> None:
        """What a function means by `name`, where it uses these names of whatever it uses."""
        if isinstance(value, _PLAIN):
            self._callable(name, value, used)
        elif isinstance(value, tuple):
            for part in value[:_FEW]:
                self._value("", part, used)
        elif isinstance(value, _CONTAINERS):
            self._container(value)
        elif isinstance(value, queue.Queue):
            self.state += [value.queue, Names(vars(value), ("unfinished_tasks",))]
        elif name and _is_spent(value):
            self.drawn = self.drawn or _told(name, value)
        elif isinstance(value, type):
            self._kind(value)
            self._attributes(value, used)
        elif isinstance(value, _STATES) or _is_numpys(value):
            self.state.append(value)
        elif _is_users(type(value)):
            if not isinstance(value, nn.Module):
                self.state.append(value)
            self._attributes(value, used)

    def _callable(self, name: str, value: Any, used: frozenset[str]) -> None:
        """A function, a method of some object, or what wraps one."""
        if isinstance(value, FunctionType):
            if kind_of(value.__code__.co_filename) == "user":
                self._function(value)
        elif isinstance(value, MethodType):
            self._value("", value.__func__)
            self._value("", value.__self__)
        elif isinstance(value, functools.partial):
            for part in (value.func, *value.args, *value.keywords.values()):
                self._value("", part, used)
        elif not isinstance(value.__self__, ModuleType):  # of an object of C's, such as `log.append`
            self._value(name, value.__self__, used)

    def _container(self, value: Any) -> None:
        if len(value) <= _LARGEST and self._new(value):
            self.state.append(value)
            if len(value) <= _FEW:
                parts = list(dict.values(value)) if isinstance(value, dict) else list(value)
                for part in parts:
                    if isinstance(part, _PLAIN):
                        self._value("", part)

    def _attributes(self, value: Any, used: frozenset[str]) -> None:
        """What a function may mean by `value.name`, and by calling it: of its class, and of its own."""
        if not self._new(value, used):
            return
        wanted = used | {"__call__"}
        kinds = value.__mro__ if isinstance(value, type) else type(value).__mro__
        for kind in filter(_is_users, kinds):
            for name in wanted & vars(kind).keys():
                found = vars(kind)[name]
                found = getattr(found, "fget", None) or getattr(found, "__func__", found)
                if isinstance(found, FunctionType):
                    self._function(found)
        if not isinstance(value, type):
            own = own_dict(value)
            for name in used & own.keys():
                self._value(name, own[name], used)

    def _kind(self, kind: type) -> None:
        """Attributes of classes of the user's: counters, and what all instances share."""
        for each in kind.__mro__:
            if _is_users(each) and self._new(each):
                own = {n: v for n, v in vars(each).items() if not n.startswith("__") and not _is_part_of_a_class(v)}
                self.state.append(Names(each, tuple(own)))
                self.state += [v for v in own.values() if isinstance(v, _CONTAINERS) and len(v) <= _LARGEST]


def _hooks_of(module: nn.Module) -> Iterator[Any]:
    """The hooks that a call of a module runs, and those of its parameters."""
    held = [vars(module).get(name) for name in _HOOKS]
    for parameter in module._parameters.values():
        if parameter is not None:
            held += [parameter._backward_hooks, parameter._post_accumulate_grad_hooks if parameter.is_leaf else None]
    yield from (hook for each in held for hook in (each or {}).values())


def _called(kind: type) -> Any:
    """What a call of an instance runs."""
    return next((vars(each)["__call__"] for each in kind.__mro__ if "__call__" in vars(each)), None)


def _functions_of(module: nn.Module) -> Iterator[FunctionType]:
    """The functions that a call of a module runs."""
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


def _is_numpys(value: Any) -> bool:
    """Whether it is a generator of numpy's: torch does not import that part, which takes long, and a script may not."""
    if "numpy.random" not in sys.modules:
        return False
    return isinstance(value, (np.random.Generator, np.random.RandomState))


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


@functools.lru_cache(maxsize=4096)
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
    yield from (space[name] for name in _used(function.__code__) for space in spaces if name in space)


@functools.lru_cache(maxsize=4096)
def _used(code: CodeType) -> frozenset[str]:
    """The names that code uses, of globals and of attributes."""
    return frozenset(name for each in _codes(code) for name in each.co_names)


def _named(function: FunctionType) -> Iterator[tuple[str, Any]]:
    space = function.__globals__
    yield from ((name, space[name]) for name in _globals(function.__code__, "LOAD_GLOBAL") if name in space)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # it is filled later
            yield name, cell.cell_contents
