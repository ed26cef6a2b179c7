"""The one thread of a process that is watched: the first that makes a backward pass."""

from __future__ import annotations

import threading
from collections.abc import Callable


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
