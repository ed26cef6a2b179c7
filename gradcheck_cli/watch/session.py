"""The session of a run: a folder to which every process that trains adds its own file, and which the command reads.

A line is a JSON array of an event's name and its fields. It is written at once and whole, so that nothing is lost
however the process ends. Nothing but the standard library is imported: this is part of the user's process.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from gradcheck_cli.records.codec import WrongShape, decode, encode
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import Diagnosed, Raised, Replay, Vital

OPTIONS = "options.json"
_Record = TypeVar("_Record")


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """The process of a file: said before anything else.

    Attributes:
        pid: Its number.
        rank: As torch.distributed counts, 0 without it.
        world: Processes that train together.
        torch: Version of torch.
        python: Version of Python.
        argv: Its arguments.
    """

    pid: int
    rank: int = 0
    world: int = 1
    torch: str = ""
    python: str = ""
    argv: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """An alarm as it was raised, with the diagnosis of its step.

    Attributes:
        raised: What was raised.
        micro_batch: The backward pass within the step that was explained, from 0.
        optimizer_step: The optimiser's own step.
        source: The line of the user's that started the backward pass, or the update.
        replay: Whether the step could be repeated.
        samples: Rows of the batch that carry it, or None where that is not known.
        report: The diagnosis, or None where none was made.
    """

    raised: Raised
    micro_batch: int = 0
    optimizer_step: int = 1
    source: SourceLine | None = None
    replay: Replay = Replay.IMPOSSIBLE
    samples: tuple[int, ...] | None = None
    report: Report | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """The layers at a sampled step: |g|/|w| by name."""

    step: int
    relative_gradient: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopped:
    """The watcher ended the script at this step; `why` is "steps" or "alarm"."""

    step: int
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What watching has cost so far, in seconds: `watching` and `diagnoses` of `total`, for `steps` steps."""

    steps: int
    watching: float
    total: float
    diagnoses: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """What one process left in the session.

    Attributes:
        opened: Who it is.
        vitals: One for each attempted update.
        explained: Alarms with the diagnoses of their steps.
        diagnosed: Steps that were diagnosed without an alarm.
        layers: At the sampled steps.
        notes: What a reader has to know.
        aside: Why the watcher stepped aside, if it did.
        stopped: Where it ended the script, if it did.
        cost: The last that was said of it.
    """

    opened: Opened
    vitals: tuple[Vital, ...] = ()
    explained: tuple[Explained, ...] = ()
    diagnosed: tuple[Diagnosed, ...] = ()
    layers: tuple[Sampled, ...] = ()
    notes: tuple[str, ...] = ()
    aside: str = ""
    stopped: Stopped | None = None
    cost: Cost | None = None


class Session:
    """Where a process says what it saw. Nothing is written, nor any file made, before it says something.

    Args:
        folder: The folder of the session.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._pid = 0
        self._path = ""

    def say(self, event: str, **fields: Any) -> None:
        """Add a line; one that cannot be written is lost, since the script must not suffer for it."""
        if self._pid != os.getpid():  # at first, and again in a forked child
            self._pid = os.getpid()
            self._path = f"{self._folder}/{self._pid}-{os.urandom(4).hex()}.jsonl"
            self._write("opened", encode(opening()))
        self._write(event, encode(fields))

    def vital(self, vital: Vital) -> None:
        """Add what was read at a step, without what is as usual."""
        self.say("vital", **{f.name: value for f in fields(vital) if (value := getattr(vital, f.name)) != f.default})

    def _write(self, event: str, content: Any) -> None:
        line = json.dumps([event, content], separators=(",", ":"), allow_nan=False).encode() + b"\n"
        with suppress(OSError):
            # No descriptor is kept: a script may close all that it finds, and open its own under the same number.
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(file, line)
            finally:
                os.close(file)


def opening() -> Opened:
    """This process, as far as it knows itself."""
    rank, world = _place()
    return Opened(
        pid=os.getpid(),
        rank=rank,
        world=world,
        torch=str(getattr(sys.modules.get("torch"), "__version__", "")),
        python=platform.python_version(),
        argv=tuple(map(str, sys.argv)),
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
    Path(folder, OPTIONS).write_text(json.dumps(encode(options)), encoding="utf-8")


def read_options(folder: str) -> RunOptions:
    """What was asked.

    Raises:
        OSError: The session is over.
    """
    options: RunOptions = decode(RunOptions, json.loads(Path(folder, OPTIONS).read_text(encoding="utf-8")))
    return options


def read(folder: str) -> tuple[Process, ...]:
    """What each process left in the session, by rank; lines that were not finished are passed over."""
    files = [_read_file(path) for path in sorted(Path(folder).glob("*.jsonl"))]
    aside = [_read_note(path) for path in sorted(Path(folder).glob("*.note"))]
    return tuple(sorted((*filter(None, files), *aside), key=lambda process: (process.opened.rank, process.opened.pid)))


def _read_note(path: Path) -> Process:
    """A process to which the watcher could not be attached."""
    return Process(opened=Opened(pid=int(path.stem)), aside=path.read_text(encoding="utf-8", errors="replace").strip())


def _read_file(path: Path) -> Process | None:
    said: dict[str, list[Any]] = {}
    for event, content in _lines(path):
        with suppress(WrongShape, KeyError):  # of another version of gradcheck, which the process has installed
            said.setdefault(event, []).append(_READERS[event](content))
    return _process(said) if "opened" in said else None


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    for line in path.read_bytes().split(b"\n"):
        with suppress(ValueError):  # the last one of a process that was killed, or of a disk that was full
            event, content = json.loads(line)
            yield event, content


def _process(said: Mapping[str, list[Any]]) -> Process:
    def all_of(event: str) -> tuple[Any, ...]:
        return tuple(said.get(event, ()))

    def last(event: str, default: Any = None) -> Any:
        return said.get(event, [default])[-1]

    return Process(
        opened=last("opened"),
        vitals=all_of("vital"),
        explained=all_of("raised"),
        diagnosed=all_of("diagnosed"),
        layers=all_of("layers"),
        notes=tuple(dict.fromkeys(all_of("note"))),
        aside=last("aside", ""),
        stopped=last("stopped"),
        cost=last("cost"),
    )


def _of(kind: type[_Record]) -> Callable[[Any], _Record]:
    def read(content: Any) -> _Record:
        record: _Record = decode(kind, content)
        return record

    return read


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "opened": _of(Opened),
    "vital": _of(Vital),
    "raised": _of(Explained),
    "diagnosed": _of(Diagnosed),
    "layers": _of(Sampled),
    "note": lambda content: str(content["text"]),
    "aside": lambda content: str(content["text"]),
    "stopped": _of(Stopped),
    "cost": _of(Cost),
}
