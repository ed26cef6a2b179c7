"""The session of a run: a folder to which every process that trains adds its own file, and which the command reads.

A line is a JSON array of an event's name and its fields, and is written whole. What is read at every step waits a
fifth of a second at most, so that fast steps are written together; all else is written at once, and with it what
waits. Nothing but the standard library is imported: this is part of the user's process.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from time import perf_counter  # as it is now: a script may put its own clock in its place
from typing import Any

from gradcheck_cli.records.codec import decode, encode
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import Vital
from gradcheck_cli.watch.scriptfiles import ours

_OPTIONS = "options.json"
PART = 1 << 23
"""Bytes of a file after which another one is begun, so that what was read can be deleted while the run goes on."""
_USUAL = [(f.name, f.default) for f in fields(Vital) if f.name not in ("step", "finite", "skipped")]
_UNREAD = {f.name: {} if f.default is MISSING else f.default for f in fields(Sample) if f.name != "step"}
_WAIT = 0.2
"""Seconds that what is read at every step may wait to be written."""
_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """The process of a file, said before anything else: the fields of `Process`, and its arguments."""

    pid: int
    rank: int
    world: int
    torch: str
    python: str
    argv: tuple[str, ...]


class Session:
    """Where a process says what it saw. Nothing is written, nor any file made, before it says something.

    Args:
        folder: The folder of the session.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._pid = 0
        self._base = self._path = ""
        self._part = self._size = 0
        self._file, self._place = -1, (0, 0)
        self._waiting: list[str] = []
        self._written = 0.0

    def say(self, event: str, **fields: Any) -> None:
        """Add a line; one that cannot be written is lost, since the script must not suffer for it."""
        self._add(_json([event, encode(fields)]))
        self.flush()

    def vital(self, vital: Vital) -> None:
        """Add what was read at a step, without what is as usual; it may wait."""
        self._add(_line_of(vital))
        self._may_wait()

    def sample(self, sample: Sample) -> None:
        """Add what was read at a sampled step; it may wait."""
        read = {name: value for name, unread in _UNREAD.items() if (value := getattr(sample, name)) != unread}
        self._add(_json(["sampled", encode({"step": sample.step, **read})]))
        self._may_wait()

    def layers(self, step: int, relative_gradient: Mapping[str, float]) -> None:
        """Add what was read of the layers at a step; it may wait."""
        self._add(_json(["layers", encode({"step": step, "relative_gradient": relative_gradient})]))
        self._may_wait()

    def flush(self) -> None:
        """Write what waits."""
        self._written = perf_counter()
        if self._pid != os.getpid() or not self._waiting:  # what a parent left to a forked child is the parent's
            return
        lines = ("\n".join(self._waiting) + "\n").encode()
        self._waiting.clear()
        with suppress(OSError):
            if not self._is_open():
                ours.discard(self._file)
                self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._place = _place_of(self._file)
                ours.add(self._file)
            self._size += os.write(self._file, lines)
            if self._size >= PART:
                self._turn_over()

    def _add(self, line: str) -> None:
        pid = os.getpid()
        if self._pid != pid:  # at first, and again in a forked child
            self._base = f"{self._folder}/{pid}-{os.urandom(4).hex()}"
            self._path, self._part, self._size = f"{self._base}.jsonl", 0, 0
            self._pid, self._place, self._written = pid, (0, 0), 0.0
            self._waiting = [_json(["opened", encode(opening())])]
        self._waiting.append(line)

    def _may_wait(self) -> None:
        if perf_counter() - self._written >= _WAIT:
            self.flush()

    def _turn_over(self) -> None:
        """Begin another file."""
        if self._is_open():
            ours.discard(self._file)
            os.close(self._file)
        self._part += 1
        self._path, self._place, self._size = f"{self._base}.{self._part:06}.jsonl", (0, 0), 0

    def _is_open(self) -> bool:
        """Whether the descriptor is still ours: a script may close all that it finds, and open its own."""
        try:
            return self._place != (0, 0) and _place_of(self._file) == self._place
        except OSError:
            return False


def _line_of(vital: Vital) -> str:
    """The line of a step, as the encoder would make it: that takes longer than all else of a fast step's telling."""
    read = [f'["vital",{{"step":{vital.step}']
    for name, usual in _USUAL:
        value = getattr(vital, name)
        if value is not usual and value != usual:
            read.append(f'"{name}":{value!r}' if value - value == 0 else f'"{name}":"{value}"')
    if not vital.finite:
        read.append('"finite":false')
    if vital.skipped:
        read.append('"skipped":true')
    return ",".join(read) + "}]"


def _place_of(file: int) -> tuple[int, int]:
    found = os.fstat(file)
    return found.st_dev, found.st_ino


def opening() -> Opened:
    """This process, as far as it knows itself."""
    rank, world = _place()
    return Opened(
        pid=os.getpid(),
        rank=rank,
        world=world,
        torch=str(getattr(sys.modules.get("torch"), "__version__", "")),
        python=platform.python_version(),
        argv=tuple(map(str, getattr(sys, "argv", ()))),
    )


def _place() -> tuple[int, int]:
    """Rank and world size, by torch.distributed if it is in use, else by what launchers set."""
    distributed = sys.modules.get("torch.distributed")
    with suppress(Exception):  # a build without it, a group that is being taken down
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return int(distributed.get_rank()), int(distributed.get_world_size())
    with suppress(ValueError):
        return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    return 0, 1


def write_options(folder: str, options: RunOptions) -> None:
    """Leave word for the processes to come of what was asked."""
    Path(folder, _OPTIONS).write_text(json.dumps(encode(options)), encoding="utf-8")


def read_options(folder: str) -> RunOptions:
    """What was asked.

    Raises:
        OSError: The session is over.
    """
    options: RunOptions = decode(RunOptions, json.loads(Path(folder, _OPTIONS).read_text(encoding="utf-8")))
    return options
