"""A session while it is being written: the alarms that were raised since one last looked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gradcheck_cli.records.codec import WrongShape, decode
from gradcheck_cli.records.session import RaisedEntry

_RAISED = b'["raised",'
_MOST = 1 << 24
"""Bytes of a file that are read at a time."""


class Following:
    """The alarms of a session as they come.

    Args:
        folder: The folder of the session.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._read: dict[Path, int] = {}

    def news(self) -> Iterator[RaisedEntry]:
        """What was raised since the last time; what cannot be read is passed over."""
        for path in sorted(self._folder.glob("*.jsonl")):
            with suppress(OSError):  # the script may delete it
                yield from self._of(path)

    def _of(self, path: Path) -> Iterator[RaisedEntry]:
        start = self._read.get(path, 0)
        with path.open("rb") as file:
            file.seek(start)
            whole, newline, _ = file.read(_MOST).rpartition(b"\n")
        self._read[path] = start + len(whole) + len(newline)
        for line in whole.split(b"\n"):
            if line.startswith(_RAISED):
                with suppress(ValueError, WrongShape):  # of another version of gradcheck
                    found: RaisedEntry = decode(RaisedEntry, json.loads(line)[1])
                    yield found
