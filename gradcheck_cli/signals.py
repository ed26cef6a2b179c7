"""Ctrl-C, a CI job that is cancelled, a terminal that is closed: one exception, and the exit code by its number."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals by which a command is ended."""


class Signalled(KeyboardInterrupt):
    """A signal that ends the command.

    Attributes:
        number: Which one.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def number_of(raised: KeyboardInterrupt) -> int:
    """The signal behind an interruption, which is Ctrl-C where nothing says otherwise."""
    return raised.number if isinstance(raised, Signalled) else signal.SIGINT


def install() -> None:
    """Raise `Signalled` on every signal that ends a command, but for those that whoever started us ignores (nohup)."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)
    sys.unraisablehook = _unraisable


_arrived: list[int] = []


def arrived() -> int | None:
    """The first signal that came: a library in which it was raised may have turned it into an error of its own."""
    return _arrived[0] if _arrived else None


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    _arrived.append(number)
    raise Signalled(number)


def _unraisable(event: Any) -> None:
    """Python swallows what is raised in a callback, as of the import system; a signal still ends the command there."""
    if isinstance(event.exc_value, Signalled):
        os._exit(128 + event.exc_value.number)
    sys.__unraisablehook__(event)
