"""Files of the script's: what its code writes while a step is repeated, it has written once.

What it has open is led to nowhere at the level of the system, so that `os.write` and extensions are caught too, and so
is what it opens to write.
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
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


ours: set[int] = set()
"""The descriptors of the session."""


@contextmanager
def unwritten() -> Iterator[None]:
    """Inside, nothing that this thread does is written to a file, a terminal or the like.

    Where other threads are running, what is open stays as it is: what they write is to arrive.
    """
    with suppress(OSError):
        tempfile.gettempdir()  # it is found by writing a file, as torch's compiler asks for it when it is imported
    with _opened_nowhere():
        if threading.active_count() > 1:
            yield
            return
        with _led_away():
            yield


@contextmanager
def _opened_nowhere() -> Iterator[None]:
    here = threading.get_ident()
    plain, system = builtins.open, os.open

    @functools.wraps(plain)
    def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if isinstance(mode, str) and set(mode) & set("wax+") and threading.get_ident() == here:
            return plain(os.devnull, mode.replace("x", "w"), *args, **kwargs)
        return plain(file, mode, *args, **kwargs)

    @functools.wraps(system)
    def opened_by_number(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & _WRITES and threading.get_ident() == here:
            return system(os.devnull, flags & os.O_ACCMODE | os.O_CLOEXEC)
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
    numbers = [number for number in _numbers() if _is_written(number)]
    streams = _streams(all_of_them=any(number not in (1, 2, *ours) for number in numbers))
    _flush(streams)
    kept: list[tuple[int, int, bool]] = []
    try:
        with suppress(OSError):  # as many files as there may be are open, or there is no /dev/null
            _lead_away(numbers, kept)
        yield
    finally:
        _flush(streams)
        for number, copy, inherited in kept:
            os.dup2(copy, number, inheritable=inherited)
            os.close(copy)


def _lead_away(numbers: list[int], kept: list[tuple[int, int, bool]]) -> None:
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


def _streams(*, all_of_them: bool) -> list[Any]:
    """What Python keeps in memory before it writes it; to look for all of them takes a while."""
    kinds = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
    found = [each for each in gc.get_objects() if type(each) in kinds] if all_of_them else []
    return [*found, *(stream for stream in (sys.__stdout__, sys.__stderr__) if stream is not None)]


def _flush(streams: list[Any]) -> None:
    for stream in sorted(streams, key=lambda each: not isinstance(each, io.TextIOWrapper)):  # text goes to bytes first
        with suppress(Exception):  # closed, or the disk is full
            if stream.writable():
                stream.flush()
