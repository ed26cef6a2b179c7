"""What the watcher does inside the script's own calls: it is timed, and it never raises there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from time import perf_counter  # as it is now: a script may put its own clock in its place
from typing import Any

import torch

from gradcheck_cli.watch.isolation import without_modes

_functions, _dispatches = torch._C._len_torch_function_stack, torch._C._len_torch_dispatch_stack


class ErrorShield:
    """Inside, nothing that goes wrong reaches the script; written out because every step enters it many times.

    Args:
        failed: Told what went wrong.

    Attributes:
        seconds: How long it was entered so far.
    """

    __slots__ = ("_entered", "_failed", "seconds")

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self.seconds = 0.0
        self._entered: list[tuple[float, AbstractContextManager[None] | None]] = []

    def __enter__(self) -> None:
        started, modes = perf_counter(), None
        if _functions() or _dispatches():
            modes = without_modes()
            try:
                modes.__enter__()
            except Exception as error:
                modes = None
                self._failed(error)
        self._entered.append((started, modes))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool:
        started, modes = self._entered.pop()
        if modes is not None:
            try:
                modes.__exit__(None, None, None)
            except Exception as another:
                error = error or another
        if error is not None:
            self._failed(error)
        if not self._entered:
            self.seconds += perf_counter() - started
        return error is not None and not isinstance(error, KeyboardInterrupt)
