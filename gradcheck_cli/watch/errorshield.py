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

    __slots__ = ("_depth", "_failed", "_off", "_started", "seconds")

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self.seconds = 0.0
        self._depth, self._started = 0, 0.0
        self._off: dict[int, AbstractContextManager[None]] = {}  # what keeps the script's modes off, by depth

    def __enter__(self) -> None:
        if not self._depth:
            self._started = perf_counter()
        self._depth += 1
        if _functions() or _dispatches():
            modes = without_modes()
            try:
                modes.__enter__()
            except Exception as error:
                self._failed(error)
            else:
                self._off[self._depth] = modes

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool:
        if self._off and (modes := self._off.pop(self._depth, None)) is not None:
            try:
                modes.__exit__(None, None, None)
            except Exception as another:
                error = error or another
        self._depth -= 1
        if error is not None:
            self._failed(error)
        if not self._depth:
            self.seconds += perf_counter() - self._started
        return error is not None and not isinstance(error, KeyboardInterrupt)
