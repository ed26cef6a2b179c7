"""What the user's code does on the side while a step is repeated is undone: it has done it once.

The state guard knows the model, the batch and what their functions reach (`reach`). Here are the variables of the
user's modules, such as a counter or a list that grows. What cannot be undone is told; of files `files` takes care.
"""

from __future__ import annotations

import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import GeneratorType, ModuleType
from typing import Any

from gradcheck_cli.runtime.state.containers import makers

Undo = Callable[[], None]
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_MOST_VARIABLES = 10_000


@contextmanager
def undone(tell: Callable[[str], None]) -> Iterator[None]:
    """Inside, the user's code may do what it likes with the variables of its modules.

    They come back, and so do containers that they hold. With threads of the user's beside us they are left alone: they
    may be changed by these.

    Args:
        tell: Told of a generator that was asked for more, which nothing takes back.
    """
    spaces = [vars(module) for module in _users_modules()]
    values = [(name, value) for space in spaces for name, value in list(space.items())[:_MOST_VARIABLES]]
    undos: list[Undo] = []
    if threading.active_count() == 1:
        held = (*spaces, *(value for _, value in values if not isinstance(value, ModuleType | type)))
        undos += [_undoing_class(value) for _, value in values if isinstance(value, type)]
        undos += [make(value) for value in held for make in makers(type(value)) if _is_plain(value)]
    generators = [(name, value, _place_in(value)) for name, value in values if isinstance(value, GeneratorType)]
    try:
        yield
    finally:
        for undo in undos:
            with suppress(Exception):  # a container that refuses
                undo()
        for name, value, before in generators:
            if _place_in(value) != before:
                tell(f"to repeat a step took an element of `{name}`, a generator: the run goes on with the next one")


def _users_modules() -> Iterator[ModuleType]:
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        named = isinstance(module, ModuleType) and isinstance(file, str) and not file.startswith(_LIBRARIES)
        if named and module.__name__.partition(".")[0] not in ("torch", "gradcheck_cli"):
            yield module


def _undoing_class(kind: type) -> Undo:
    """What gives a class its counters and flags back."""
    before = {name: value for name, value in vars(kind).items() if isinstance(value, int | float | str | None)}

    def undo() -> None:
        for name, value in before.items():
            if vars(kind).get(name) is not value:
                setattr(kind, name, value)

    return undo


def _is_plain(value: Any) -> bool:
    """Whether it is a container of Python's own: an object's attributes may be a lock, a socket, a whole library."""
    return type(value).__module__ in ("builtins", "collections", "_io", "io")


def _place_in(generator: GeneratorType[Any, Any, Any]) -> Any:
    """Where a generator stands: a loop comes back to the same instruction, with other variables."""
    frame = generator.gi_frame
    return None if frame is None else (frame.f_lasti, {name: id(value) for name, value in frame.f_locals.items()})
