"""CUDA graphs: while one is captured no value can be read, and what is replayed from it calls nothing that is seen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any

import torch

from gradcheck_cli.watch.tape import Tape
from gradcheck_cli.watch.taps import put
from gradcheck_cli.watch.tracebacks import hidden

TOLD = "a CUDA graph was captured: the steps that are replayed from it call nothing that could be watched"


class Capturing:
    """Leaves the script alone while it captures a CUDA graph, which reading any value would break.

    Args:
        tape: Sees nothing meanwhile.
        told: Is called with a note, once.
    """

    def __init__(self, tape: Tape, told: Callable[[str], None]) -> None:
        self._tape, self._told = tape, told
        self._is_told, self._now = False, ExitStack()
        self._undo: list[Callable[[], None]] = []

    def install(self) -> None:
        """Begin to look out for captures."""
        graph = torch.cuda.CUDAGraph
        self._undo = [put(graph, "capture_begin", self._beginning), put(graph, "capture_end", self._ending)]

    def remove(self) -> None:
        """Leave torch as it was."""
        self._now.close()
        while self._undo:
            self._undo.pop()()

    def _beginning(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @hidden
        @wraps(original)
        def capture_begin(*args: Any, **kwargs: Any) -> Any:
            self._now.enter_context(self._tape.blind())
            if not self._is_told:
                self._is_told = True
                self._told(TOLD)
            try:
                return original(*args, **kwargs)
            except BaseException:
                self._now.close()
                raise

        return capture_begin

    def _ending(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @hidden
        @wraps(original)
        def capture_end(*args: Any, **kwargs: Any) -> Any:
            with self._now:
                return original(*args, **kwargs)

        return capture_end
