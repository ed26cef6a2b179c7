"""A session while it is being written: what is new since one last looked."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradcheck_cli.records.codec import WrongShape, decode
from gradcheck_cli.records.session import RaisedEntry, Sample
from gradcheck_cli.records.timeline import Vital

_MOST = 1 << 24
"""Bytes of a file that are read at a time."""


@dataclass(frozen=True, slots=True)
class News:
    """What is new.

    Attributes:
        raised: Alarms of all processes.
        lines: All that the process wrote whose curves are shown while it runs: the first of the lowest rank.
    """

    raised: tuple[RaisedEntry, ...] = ()
    lines: tuple[bytes, ...] = ()

    def vitals(self) -> Iterator[Vital]:
        """What was read at every step."""
        return _decoded(self.lines, "vital", Vital)

    def samples(self) -> Iterator[Sample]:
        """What was read on sampled steps."""
        return _decoded(self.lines, "sampled", Sample)

    def latest(self) -> Vital | None:
        """What was read at the last step of the first optimiser, without a look at those before it."""
        return next((v for v in _decoded(self.lines[::-1], "vital", Vital) if v.optimizer == 0), None)


class Following:
    """What is new in a session.

    Args:
        folder: The folder of the session.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._read: dict[Path, int] = {}
        self._ranks: dict[Path, float] = {}

    def news(self) -> News:
        """What was written since the last time; what cannot be read is passed over."""
        found: dict[Path, list[bytes]] = {}
        for path in sorted(self._folder.glob("*.jsonl")):
            with suppress(OSError):  # the script may delete it
                found[path] = self._of(path)
        raised = (entry for lines in found.values() for entry in _decoded(lines, "raised", RaisedEntry))
        first = min(self._ranks, key=lambda path: self._ranks[path], default=None)
        return News(tuple(raised), tuple(found.get(first, ()) if first else ()))

    def _of(self, path: Path) -> list[bytes]:
        start = self._read.get(path, 0)
        with path.open("rb") as file:
            file.seek(start)
            whole, newline, _ = file.read(_MOST).rpartition(b"\n")
        self._read[path] = start + len(whole) + len(newline)
        lines = whole.split(b"\n") if newline else []
        if not start and lines:
            self._ranks[path] = _rank(lines[0])
        return lines


def _rank(opened: bytes) -> float:
    with suppress(ValueError, LookupError, TypeError):
        return int(json.loads(opened)[1]["rank"])
    return math.inf


def _decoded(lines: Sequence[bytes], event: str, kind: type[Any]) -> Iterator[Any]:
    """The events of a kind; those of another version of gradcheck are passed over."""
    start = f'["{event}",'.encode()
    for line in lines:
        if line.startswith(start):
            with suppress(ValueError, WrongShape):
                yield decode(kind, json.loads(line)[1])
