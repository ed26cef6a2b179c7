"""The one thread of a process that is watched, the first that makes a backward pass; and those beside it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from traceback import walk_stack

from gradcheck_cli.watch.places import kind_of

_WAITING = (threading.Thread.join.__code__, Future.result.__code__)
"""What a thread does that does nothing until another one has ended."""


def running_beside() -> str:
    """Why no step that nobody asked for is repeated now: another thread runs code of the user's; empty for none.

    What it draws meanwhile would be taken back with the random state of the process, and drawn twice.
    Threads of libraries alone, such as a progress bar's or one that pins memory, draw nothing.
    """
    if len(threading._active) == 1:  # type: ignore[attr-defined]
        return ""
    for thread, innermost in sys._current_frames().items():
        codes = [frame.f_code for frame, _ in walk_stack(innermost)] if thread != threading.get_ident() else []
        if any(kind_of(code.co_filename) == "user" for code in codes) and not any(code in _WAITING for code in codes):
            known = threading._active.get(thread)  # type: ignore[attr-defined]
            name = "another thread" if known is None else f"thread `{known.name}`"
            return f"{name} runs code of the script's beside it, and what that draws would be drawn twice"
    return ""


class WatchedThread:
    """Tells it from all others.

    Args:
        changed: Told when another one becomes it.

    Attributes:
        blind: Whether no thread is it for now.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self.blind = False
        self._thread: int | None = None
        self._whose: threading.Thread | None = None
        self._trains = False

    def is_ours(self, *, trains: bool = False) -> bool:
        """Whether this thread is the one that is watched: the first that makes a backward pass.

        Before there was one, it is the first that makes a call; once it has ended, the next.
        """
        if self.blind:
            return False
        here = threading.get_ident()
        if here != self._thread and (self._thread is None or (trains and not self._trains) or self._has_ended(here)):
            self._thread, self._whose = here, threading._active.get(here)  # type: ignore[attr-defined]
            self._changed()
        if here == self._thread:
            self._trains = self._trains or trains
            return True
        return False

    def may_be_ours(self) -> bool:
        """Whether this thread is the one that is watched, or none is so far; asking makes it none."""
        return not self.blind and self._thread in (None, threading.get_ident())

    def is_here(self) -> bool:
        """Whether this thread is the one that is watched; asking makes it none."""
        return self._thread == threading.get_ident()

    def _has_ended(self, here: int) -> bool:
        """Whether the thread that was watched is over, and this is none of autograd's: Python does not know these."""
        running = threading._active  # type: ignore[attr-defined]
        return here in running and running.get(self._thread) is not self._whose  # numbers are used again
