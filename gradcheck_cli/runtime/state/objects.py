"""Walk over what a model is made of: modules, containers, plain objects, down to tensors, arrays and generators."""

from __future__ import annotations

import copyreg
import functools
import sys
from argparse import Namespace
from collections import ChainMap, OrderedDict, UserDict, UserList, deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from types import MethodType, SimpleNamespace
from typing import Any

import torch
from torch import nn

Found = tuple[Any, Any, Any]
"""An object, its key in what holds it (None where it goes by the name of that), and the Found of what holds it.

A plain tuple, and the path is put together only when it is asked for: 10,000 layers have 100,000 objects."""

UNSET: Any = type("Unset", (), {})()
"""What a slot without a value reads as."""

_ATOMS = frozenset((str, int, float, bool, complex, bytes, type(None), torch.dtype, torch.device, torch.Size))
_DICTS = frozenset((dict, OrderedDict))
_KEPT_BY_MODULES = ("_parameters", "_buffers", "_modules")
_OF_TORCH = ("torch.nn.", "torch.optim.", "torch.distributions.", "torch.utils.data.")
_USERS_OWN = (UserDict, UserList, ChainMap)
"""Classes of Python's that are made to hold what a user puts there."""
_LARGEST = 10_000_000
"""Objects at which the walk ends. 200,000 layers have half as many; a data set that hangs on a model may have more."""


def walk(roots: Iterable[tuple[str, Any]]) -> Iterator[Found]:
    """Every object that the named roots are made of, once; numbers and strings are left out.

    It follows containers, modules, instances of the user's and of other libraries' classes, bound methods and
    partials. What belongs to Python or to torch's inside (threads, files, compilers) is not the model's state,
    and neither is what a function closes over.
    """
    stack: list[Found] = [(value, name, None) for name, value in roots][::-1]
    seen: set[int] = set()
    while stack and len(seen) < _LARGEST:
        found = stack.pop()
        value = found[0]
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield found
        stack.extend((child, key, found) for key, child in children(value) if type(child) not in _ATOMS)


def path_of(found: Found) -> str:
    """The path that leads to an object, such as `layers.0.weight`."""
    keys = []
    at: Found | None = found
    while at is not None:
        _, key, at = at
        if key is not None and key != "":
            keys.append(str(key) if type(key) in (str, int) else "*")  # the repr of a user's key may be long, or raise
    return ".".join(reversed(keys)) or "the model"


def children(value: Any) -> Iterator[tuple[Any, Any]]:
    """What `value` holds, each with its key; the key is None for a child that goes by the name of its parent.

    The empty dictionaries among the attributes of an instance are left out: a module has a dozen, for its hooks.
    """
    if isinstance(value, dict):
        yield from dict.items(value)
    elif isinstance(value, (list, tuple, deque, set, frozenset)):
        yield from enumerate(value)
    elif isinstance(value, MethodType):
        yield None, value.__self__
    elif isinstance(value, functools.partial):
        yield from ((None, item) for item in (value.func, value.args, value.keywords))
    elif isinstance(value, torch.jit.ScriptModule):  # it keeps them where Python does not look
        yield from (*value.named_parameters(), *value.named_buffers())
    if enters(type(value)):
        own = ((name, item) for name, item in own_dict(value).items() if not is_empty(item))
        yield from ((None if name in _KEPT_BY_MODULES else name, item) for name, item in own)
        yield from slots(value)


def is_empty(value: Any) -> bool:
    """Whether it is a dictionary, of Python's own, that holds nothing."""
    return type(value) in _DICTS and not value


def own_dict(value: Any) -> dict[str, Any]:
    """The __dict__ of an instance, past any __getattr__; an empty one where it has none."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return found if isinstance(found, dict) else {}


def slots(value: Any) -> list[tuple[str, Any]]:
    """The attributes of an instance that are in slots."""
    return [(name, slot(value, name)) for name in slots_of(type(value))]


def slot(value: Any, name: str) -> Any:
    """What is in a slot; UNSET where it has no value."""
    try:
        return object.__getattribute__(value, name)
    except AttributeError:
        return UNSET


def _slot_names(kind: type) -> tuple[str, ...]:
    return () if issubclass(kind, torch.Tensor) else tuple(copyreg._slotnames(kind))  # type: ignore[attr-defined]


def _enters(kind: type) -> bool:
    if issubclass(kind, (nn.Module, torch.Tensor, torch.optim.Optimizer, SimpleNamespace, Namespace, *_USERS_OWN)):
        return True
    if issubclass(kind, (type, Enum, torch.Generator)):
        return False
    module = str(getattr(kind, "__module__", ""))
    root = module.partition(".")[0]
    if root == "torch":
        return module.startswith(_OF_TORCH) and not kind.__name__.startswith("_")  # such as a loader's running iterator
    return root not in sys.stdlib_module_names and root != "numpy"


slots_of: Callable[[type], tuple[str, ...]] = functools.cache(_slot_names)
"""The names of the slots of a class and its bases."""

enters: Callable[[type], bool] = functools.cache(_enters)
"""Whether an instance of a class is looked into."""
