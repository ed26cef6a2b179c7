"""The models of a run, found in the variables of the code that calls them, and the paths of what is in them."""

from __future__ import annotations

import inspect
import re
import sys
import weakref
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from torch import Tensor, nn

from gradcheck_cli.watch.tracebacks import OURS, TORCH

_WRAPPED = {"DistributedDataParallel": "module", "DataParallel": "module", "OptimizedModule": "_orig_mod"}
"""Modules that hold nothing but another, by the name of their class; and under which name they hold it."""
_MOST_VARIABLES = 5000
_REFERENCES = 3
"""To a frame's dictionary, where only the frame and the code that looks at it have one."""


class Models(nn.Module):
    """The models of a step that has several, and the tensors that learn and are in none."""


def unwrapped(module: nn.Module) -> nn.Module:
    """The model that a wrapper holds."""
    while (name := _WRAPPED.get(type(module).__name__)) is not None:
        inner = module._modules.get(name)
        if inner is None:
            break
        module = inner
    return module


class Roots:
    """Which variable's model a called module belongs to."""

    def __init__(self) -> None:
        self._found: weakref.WeakKeyDictionary[nn.Module, tuple[weakref.ref[nn.Module], str]] = (
            weakref.WeakKeyDictionary()
        )

    def seen(self, module: nn.Module, frame: FrameType | None) -> None:
        """Look for the largest module that holds it among the variables of a frame and of those that called that."""
        best, name, size = unwrapped(module), "", 0
        for variable, value in _modules_in(frame):
            parts = list(value.modules())
            if any(part is module for part in parts):
                inner = unwrapped(value)
                if len(parts) > size or (inner is best and not name):
                    best, name, size = inner, variable, len(parts)
        self._found[module] = (weakref.ref(best), name)

    def root_of(self, module: nn.Module) -> tuple[nn.Module, str]:
        """The root of a module that was called, and the name of its variable."""
        found = self._found.get(module)
        root = found[0]() if found is not None else None
        return (root, found[1]) if root is not None and found is not None else (unwrapped(module), "")


def _modules_in(frame: FrameType | None) -> Iterator[tuple[str, nn.Module]]:
    """The modules among the variables of these frames, and among the attributes of what they hold, each once."""
    seen: set[int] = set()
    while frame is not None:
        if not frame.f_code.co_filename.startswith((TORCH, OURS)):
            for name, value in _variables(frame):
                if isinstance(value, nn.Module) and id(value) not in seen:
                    seen.add(id(value))
                    yield ("" if name == "self" else name), value
        frame = frame.f_back


def _variables(frame: FrameType) -> Iterator[tuple[str, Any]]:
    for name, value in (*_locals(frame), *list(frame.f_globals.items())[:_MOST_VARIABLES]):
        yield name, value
        if name == "self" and not isinstance(value, nn.Module):
            yield from list(getattr(value, "__dict__", {}).items())


def _locals(frame: FrameType) -> list[tuple[str, Any]]:
    """A frame's variables, without a trace: before Python 3.13 it keeps the dictionary, and all that is in it alive."""
    variables = frame.f_locals
    found = list(variables.items())[:_MOST_VARIABLES]
    kept = sys.version_info < (3, 13) and sys.getrefcount(variables) <= _REFERENCES
    if kept and variables is not frame.f_globals and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        variables.clear()
    return found


class Model:
    """One module that holds all models of a step and all tensors that learn in it, with every part's path."""

    def __init__(self, naming: Roots, modules: Iterable[nn.Module], leaves: Iterable[Tensor]) -> None:
        roots: dict[int, tuple[nn.Module, str]] = {}
        for module in modules:
            root, name = naming.root_of(module)
            if any(True for _ in root.parameters()):
                roots[id(root)] = (root, name)
        kept = [
            (root, name)
            for root, name in roots.values()
            if not any(other is not root and _holds(other, root) for other, _ in roots.values())
        ]
        inside = {id(p) for root, _ in kept for p in root.parameters()}
        loose = [leaf for leaf in leaves if id(leaf) not in inside]
        self.module = kept[0][0] if len(kept) == 1 and not loose else _container(kept, loose)
        self._modules = {id(module): path for path, module in self.module.named_modules()}
        self._tensors: dict[int, tuple[str, str]] = {}
        for path, module in self.module.named_modules():
            for name, tensor in (*module._parameters.items(), *module._buffers.items()):
                if tensor is not None:
                    self._tensors.setdefault(id(tensor), (path, name))

    def path_of(self, module: nn.Module) -> str | None:
        """The path of a module; None where it is in no model."""
        return self._modules.get(id(unwrapped(module)))

    def place_of(self, tensor: Tensor) -> tuple[str, str] | None:
        """The path of a parameter's or buffer's owner, and its name there; None where it is in no model."""
        return self._tensors.get(id(tensor))


def _holds(root: nn.Module, module: nn.Module) -> bool:
    return any(part is module for part in root.modules())


def _container(roots: list[tuple[nn.Module, str]], loose: list[Tensor]) -> Models:
    made = Models()
    taken: set[str] = set(dir(made))
    for root, name in roots:
        made._modules[_unique(name or type(root).__name__.lower(), taken)] = root
    for number, tensor in enumerate(loose):
        made._parameters[_unique(_name_of(tensor) or f"tensor{number}", taken)] = tensor  # type: ignore[assignment]
    return made


def _unique(name: str, taken: set[str]) -> str:
    plain = re.sub(r"\W", "_", name)
    found, number = plain, 2
    while found in taken:
        found, number = f"{plain}{number}", number + 1
    taken.add(found)
    return found


def _name_of(tensor: Tensor) -> str:
    """The variable that holds a tensor, in whatever code runs now."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if not frame.f_code.co_filename.startswith((TORCH, OURS)):
            for name, value in _locals(frame):
                if value is tensor:
                    return name
                if isinstance(value, (list, tuple)) and len(value) < 1000:
                    for index, part in enumerate(value):
                        if part is tensor:
                            return f"{name}_{index}"
        frame = frame.f_back
    return ""
