"""Messages between the processes: `TOKEN LENGTH`, a newline, and so many bytes of JSON.

The token is a secret of one check, so that what the user's code writes into a descriptor which is not its own is told
from an answer. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from typing import Any

CHANNEL_LOST = 71
"""The status of a process whose answer has no way back: the user's code closed or replaced the descriptor."""
_dumps, _loads = json.dumps, json.loads  # the user's code may replace them
_LONGEST_HEAD = 100


def packed(token: str, message: dict[str, Any]) -> bytes:
    """A message as bytes."""
    body = _dumps(message, allow_nan=False).encode("ascii")
    return b"%s %d\n%s" % (token.encode("ascii"), len(body), body)


class Mail:
    """What arrives, put together.

    Attributes:
        noise: Whether something arrived that is no message; nothing after it is believed.
    """

    def __init__(self, token: str) -> None:
        self._start = token.encode("ascii") + b" "
        self._held = bytearray()
        self._missing = 0
        self.noise = False

    def take(self, chunk: bytes) -> list[dict[str, Any]]:
        """The messages that are complete with this chunk."""
        found = []
        self._held += chunk
        while not self.noise and (message := self._next()) is not None:
            found.append(message)
        if self.noise:
            self._held.clear()
        return found

    def _next(self) -> dict[str, Any] | None:
        if len(self._held) < self._missing:  # of a long message, which is not looked at with every chunk
            return None
        head, newline, _ = self._held[:_LONGEST_HEAD].partition(b"\n")
        if not newline:
            self.noise = not self._begins(head) or len(head) == _LONGEST_HEAD
            return None
        length = bytes(head[len(self._start) :])
        if not self._begins(head) or not length.isdigit():
            self.noise = True
            return None
        start, end = len(head) + 1, len(head) + 1 + int(length)
        self._missing = end
        return self._cut(start, end) if len(self._held) >= end else None

    def _begins(self, head: bytearray) -> bool:
        return head.startswith(self._start) if len(head) >= len(self._start) else self._start.startswith(head)

    def _cut(self, start: int, end: int) -> dict[str, Any] | None:
        body = bytes(self._held[start:end])
        del self._held[:end]
        self._missing = 0
        try:
            message = _loads(body)
        except (ValueError, RecursionError):
            message = None
        self.noise = not isinstance(message, dict)
        return None if self.noise else message
