"""Files of the script's: what its code writes while a step is repeated, it has written once.

What it has open is led to nowhere at the level of the system, so that `os.write` and extensions are caught too; to open
another file for writing is refused, which makes the step one that cannot be repeated.
"""

from __future__ import annotations

import builtins
import fcntl
import functools
import gc
import io
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Refused(RuntimeError):
    """A file would have been opened for writing a second time."""


@contextmanager
def unwritten() -> Iterator[None]:
    """Inside, nothing that this thread does is written to a file, a terminal or the like.

    Where other threads are running, what is open stays as it is: what they write is to arrive.
    """
    with _refusing():
        if threading.active_count() > 1:
            yield
            return
        with _led_away():
            yield


@contextmanager
def _refusing() -> Iterator[None]:
    here = threading.get_ident()
    plain, system = builtins.open, os.open

    def refuse(path: Any) -> None:
        if threading.get_ident() == here and path != os.devnull:
            raise Refused(f"it opens {path} to write")

    @functools.wraps(plain)
    def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if not isinstance(file, int) and isinstance(mode, str) and set(mode) & set("wax+"):
            refuse(file)
        return plain(file, mode, *args, **kwargs)

    @functools.wraps(system)
    def opened_by_number(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & _WRITES:
            refuse(path)
        return system(path, flags, *args, **kwargs)

    known: list[tuple[Any, Callable[..., Any], Callable[..., Any]]] = [
        (owner, getattr(owner, "open"), new)  # noqa: B009 - `owner.open` is a method to mypy
        for owner, new in ((builtins, opened), (io, opened), (os, opened_by_number))
    ]
    for owner, _, new in known:
        owner.open = new
    try:
        yield
    finally:
        for owner, old, new in known:
            if owner.open is new:
                owner.open = old


@contextmanager
def _led_away() -> Iterator[None]:
    streams = _streams()
    _flush(streams)
    kept: list[tuple[int, int, bool]] = []
    try:
        with suppress(OSError):  # as many files as there may be are open, or there is no /dev/null
            _lead_away(kept)
        yield
    finally:
        _flush(streams + _streams())
        for number, copy, inherited in kept:
            os.dup2(copy, number, inheritable=inherited)
            os.close(copy)


def _lead_away(kept: list[tuple[int, int, bool]]) -> None:
    numbers = [number for number in _numbers() if _is_written(number)]  # before there are any of ours
    nowhere = os.open(os.devnull, os.O_RDWR)
    try:
        for number in numbers:
            inherited = os.get_inheritable(number)
            copy = os.dup(number)
            kept.append((number, copy, inherited))
            os.dup2(nowhere, number, inheritable=inherited)
    finally:
        os.close(nowhere)


def _numbers() -> list[int]:
    with suppress(OSError):
        return [int(name) for name in os.listdir("/dev/fd")]  # noqa: PTH208 - names are numbers
    return [1, 2]


def _is_written(number: int) -> bool:
    """Whether a descriptor is one of a file that can be written to, or of what a process prints to."""
    try:
        kind = os.fstat(number).st_mode
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            return False
    except OSError:  # it is closed
        return False
    return number in (1, 2) or stat.S_ISREG(kind)


def _streams() -> list[Any]:
    """What Python keeps in memory before it writes it."""
    found = [
        each for each in gc.get_objects() if type(each) in (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
    ]
    return [*found, *(stream for stream in (sys.__stdout__, sys.__stderr__) if stream is not None)]


def _flush(streams: list[Any]) -> None:
    for stream in sorted(streams, key=lambda each: not isinstance(each, io.TextIOWrapper)):  # text goes to bytes first
        with suppress(Exception):  # closed, or the disk is full
            if stream.writable():
                stream.flush()
