"""What the user's code does on the side while a step is repeated is undone: it has done it once.

The state guard knows the model and the batch. Here are the variables of the user's modules, such as a counter or a list
that grows, and the files that are written to. What cannot be undone is told.
"""

from __future__ import annotations

import builtins
import io
import os
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
    """Inside, the user's code may do what it likes with the variables of its modules and with files.

    Variables come back, and containers that they hold; what is written to a file that is opened inside goes nowhere,
    and one that was open is cut off where it ended. With threads of the user's beside us variables are left alone: it
    may be they who change them.

    Args:
        tell: Told of a generator that was asked for more, which nothing takes back.
    """
    spaces = [vars(module) for module in _users_modules()]
    values = [(name, value) for space in spaces for name, value in list(space.items())[:_MOST_VARIABLES]]
    undos = [_undoing_file(value) for _, value in values if isinstance(value, io.TextIOWrapper | io.BufferedWriter)]
    if threading.active_count() == 1:
        held = (*spaces, *(value for _, value in values if not isinstance(value, ModuleType | type)))
        undos += [_undoing_class(value) for _, value in values if isinstance(value, type)]
        undos += [make(value) for value in held for make in makers(type(value)) if _is_plain(value)]
    generators = [(name, value, _place_in(value)) for name, value in values if isinstance(value, GeneratorType)]
    try:
        with _written_nowhere():
            yield
    finally:
        for undo in undos:
            with suppress(Exception):  # a file that was closed inside, a container that refuses
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


def _undoing_file(file: Any) -> Undo:
    """What cuts a file off where it ends now; nothing for one that is not written to, or has no place."""
    try:
        if file.closed or not (file.writable() and file.seekable()):
            return lambda: None
        file.flush()
        before = file.tell()
    except Exception:
        return lambda: None

    def undo() -> None:
        file.flush()
        if file.tell() != before:
            file.seek(before)
            file.truncate()

    return undo


@contextmanager
def _written_nowhere() -> Iterator[None]:
    original = builtins.open

    def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if isinstance(mode, str) and set(mode) & set("wax+"):
            return original(os.devnull, mode.replace("x", "w"), *args, **kwargs)
        return original(file, mode, *args, **kwargs)

    builtins.open = io.open = opened
    try:
        yield
    finally:
        builtins.open = io.open = original
