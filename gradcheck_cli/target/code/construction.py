"""Where the user's code built each module: what an nn.Sequential calls is called by no line of theirs."""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from torch import Tensor, nn

from gradcheck_cli.records.spec import Derived
from gradcheck_cli.target.code.usercode import is_users


class Constructions:
    """The file and line at which each module was built; a copy of a module was built nowhere."""

    def __init__(self) -> None:
        self._places: dict[int, tuple[weakref.ref[nn.Module], str, int]] = {}
        self._made: list[tuple[weakref.ref[nn.Parameter], tuple[weakref.ref[nn.Parameter], ...], str, int]] = []

    def note(self, module: nn.Module, frame: FrameType | None) -> None:
        """Remember the innermost line of the user's at or above `frame` that is not the module's own constructor."""
        while frame is not None and (_constructs(frame, module) or not is_users(frame.f_code.co_filename)):
            frame = frame.f_back
        if frame is not None:
            self._places[id(module)] = (weakref.ref(module), frame.f_code.co_filename, frame.f_lineno)

    def note_parameter(self, made: nn.Parameter, data: Tensor, frame: FrameType | None) -> None:
        """Remember a parameter whose values were computed from others: making it one cuts it off from them."""
        sources = tuple(weakref.ref(leaf) for leaf in _leaves(data) if isinstance(leaf, nn.Parameter))
        while frame is not None and not is_users(frame.f_code.co_filename):
            frame = frame.f_back
        if sources and frame is not None:
            self._made.append((weakref.ref(made), sources, frame.f_code.co_filename, frame.f_lineno))

    def derived(self, model: nn.Module) -> Iterator[Derived]:
        """The model's parameters that were made of other ones of its own."""
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        for made, sources, file, line in self._made:
            found = tuple(names[id(s)] for ref in sources if (s := ref()) is not None and id(s) in names)
            own = made()
            if own is not None and id(own) in names and found:
                yield Derived(names[id(own)], found, file, line)

    def of(self, model: nn.Module) -> Mapping[str, tuple[str, int]]:
        """File and line of the model's modules by their dotted names."""
        noted = ((path, module, self._places.get(id(module))) for path, module in model.named_modules())
        return {path: place[1:] for path, module, place in noted if place is not None and place[0]() is module}


@contextmanager
def watched_construction() -> Iterator[Constructions]:
    """Note every module that is built inside."""
    noted, original, parameter = Constructions(), nn.Module.__init__, nn.Parameter.__new__

    @functools.wraps(original)
    def watched(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        noted.note(self, sys._getframe(1))

    @functools.wraps(parameter)
    def making(cls: Any, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        made = parameter(cls, data, *args, **kwargs)
        if isinstance(data, Tensor) and data.grad_fn is not None:
            noted.note_parameter(made, data, sys._getframe(1))
        return made

    nn.Module.__init__ = watched  # type: ignore[method-assign]
    nn.Parameter.__new__ = staticmethod(making)  # type: ignore[method-assign]
    try:
        yield noted
    finally:
        nn.Module.__init__ = original  # type: ignore[method-assign]
        nn.Parameter.__new__ = staticmethod(parameter)  # type: ignore[method-assign]


def _leaves(tensor: Tensor) -> Iterator[Tensor]:
    """The leaves of the graph that a tensor hangs from."""
    stack = [tensor.grad_fn]
    seen = {tensor.grad_fn}
    while stack:
        node = stack.pop()
        if (leaf := getattr(node, "variable", None)) is not None:
            yield leaf
        for child, _ in node.next_functions if node is not None else ():
            if child is not None and child not in seen:
                seen.add(child)
                stack.append(child)


def _constructs(frame: FrameType, module: nn.Module) -> bool:
    code = frame.f_code
    return code.co_name == "__init__" and code.co_argcount > 0 and frame.f_locals.get(code.co_varnames[0]) is module
