"""How a script ends: by an exception that nobody catches, by leaving with a status that is not 0, or at once."""

from __future__ import annotations

import _sitebuiltins
import functools
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from gradcheck_cli.watch.tracebacks import cleared, hidden

Undo = Callable[[], None]
Stopping = Callable[[BaseException | None], None]


def listen(stopping: Stopping, closing: Callable[[], None]) -> Undo:
    """Have `stopping` called, with the exception or None, before the script ends; what is returned ends that.

    `closing` is called where the process is ended by `os._exit`, after which nothing else is.
    """
    hook = _excepthook(sys.excepthook, stopping)
    plain = sys.excepthook is sys.__excepthook__  # scripts ask whether it is: it stays so
    undos = [
        _put(sys, "excepthook", hook),
        *([_put(sys, "__excepthook__", hook)] if plain else []),
        _put(threading, "excepthook", _in_thread(threading.excepthook)),
        _put(sys, "exit", _leaving(sys.exit, stopping)),
        _put(os, "_exit", _closing(os._exit, closing)),
        _put(_sitebuiltins.Quitter, "__call__", _leaving(_sitebuiltins.Quitter.__call__, stopping)),
    ]

    def undo() -> None:
        for each in undos:
            each()

    return undo


def _put(owner: Any, name: str, value: Any) -> Undo:
    original = getattr(owner, name)
    setattr(owner, name, value)

    def undo() -> None:
        if getattr(owner, name) is value:  # else somebody has put his own around it
            setattr(owner, name, original)

    return undo


def _excepthook(original: Callable[..., None], stopping: Stopping) -> Callable[..., None]:
    @functools.wraps(original)
    def excepthook(kind: Any, error: Any, trace: Any) -> None:
        stopping(error)
        cleared(error)
        original(kind, error, trace)

    return excepthook


def _in_thread(original: Callable[..., object]) -> Callable[..., None]:
    @functools.wraps(original)
    def excepthook(args: Any, /) -> None:
        cleared(args.exc_value)
        original(args)

    return excepthook


def _closing(original: Callable[[int], Any], closing: Callable[[], None]) -> Callable[[int], Any]:
    @functools.wraps(original)
    def leave_at_once(status: int) -> Any:
        closing()
        return original(status)

    return leave_at_once


def _leaving(original: Callable[..., Any], stopping: Stopping) -> Callable[..., Any]:
    """`sys.exit`, or `exit` and `quit`: of their arguments the last is the status."""

    @hidden
    @functools.wraps(original)
    def leave(*args: Any, **kwargs: Any) -> Any:
        status = kwargs.get("code", args[-1] if args else None)
        if isinstance(status, _sitebuiltins.Quitter):
            status = None
        if status not in (None, 0):
            stopping(None)
        return original(*args, **kwargs)

    return leave
