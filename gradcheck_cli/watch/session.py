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
from functools import partial
from pathlib import Path
from typing import Any

from gradcheck_cli.records.codec import WrongShape, decode, encode
from gradcheck_cli.records.retrying import Retried
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Cost, LayerSample, Process, RaisedEntry, Sample, Stopped
from gradcheck_cli.records.timeline import Diagnosed, Use, Vital
from gradcheck_cli.watch.files import ours

_OPTIONS = "options.json"
_CUT = (
    "what was seen could not be written any more, so the rest of the run is not told: is the disk full, or a limit set?"
)
_USUAL = {f.name: f.default for f in fields(Vital)}
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
        self._path = ""
        self._file, self._place = -1, (0, 0)

    def say(self, event: str, **fields: Any) -> None:
        """Add a line; one that cannot be written is lost, since the script must not suffer for it."""
        pid = os.getpid()
        if self._pid != pid:  # at first, and again in a forked child
            self._path = f"{self._folder}/{pid}-{os.urandom(4).hex()}.jsonl"
            self._pid, self._place = pid, (0, 0)
            self._write("opened", encode(opening()))
        self._write(event, encode(fields))

    def vital(self, vital: Vital) -> None:
        """Add what was read at a step, without what is as usual."""
        self.say("vital", **{name: value for name, usual in _USUAL.items() if (value := getattr(vital, name)) != usual})

    def sample(self, sample: Sample) -> None:
        """Add what was read at a sampled step."""
        self.say("sampled", **{f.name: getattr(sample, f.name) for f in fields(sample)})

    def _write(self, event: str, content: Any) -> None:
        line = _json([event, content]).encode() + b"\n"
        with suppress(OSError):
            if not self._is_open():
                ours.discard(self._file)
                self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._place = _place_of(self._file)
                ours.add(self._file)
            os.write(self._file, line)

    def _is_open(self) -> bool:
        """Whether the descriptor is still ours: a script may close all that it finds, and open its own."""
        try:
            return self._place != (0, 0) and _place_of(self._file) == self._place
        except OSError:
            return False


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


def read(folder: str) -> tuple[Process, ...]:
    """What each process left in the session, by rank; lines that were not finished are passed over."""
    if not Path(folder).is_dir():
        return (Process(pid=0, aside=f"the folder of its session, {folder}, was deleted while the script ran"),)
    files = [_read_file(path) for path in sorted(Path(folder).glob("*.jsonl"))]
    aside = [_read_note(path) for path in sorted(Path(folder).glob("*.note"))]
    return tuple(sorted((*filter(None, files), *aside), key=lambda process: (process.rank, process.pid)))


def _read_note(path: Path) -> Process:
    """A process to which the watcher could not be attached."""
    return Process(pid=int(path.stem), aside=path.read_text(encoding="utf-8", errors="replace").strip())


def _read_file(path: Path) -> Process | None:
    said: dict[str, list[Any]] = {}
    for event, content in _lines(path):
        with suppress(WrongShape, KeyError):  # of another version of gradcheck, which the process has installed
            if event == "diagnosed" and content["report"] is None:
                said.setdefault("note", []).append(f"step {content['step']} was not diagnosed: {content['reason']}")
                continue
            said.setdefault(event, []).append(_READERS[event](content))
    if _is_cut(path):
        said.setdefault("note", []).append(_CUT)
    return _process(said) if "opened" in said else None


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    for line in path.read_bytes().split(b"\n"):
        with suppress(ValueError):  # the last one of a process that was killed, or of a disk that was full
            event, content = json.loads(line)
            yield event, content


def _is_cut(path: Path) -> bool:
    """Whether the file ends within a line: each is written at once, so that there was no room for it."""
    return not path.read_bytes().endswith(b"\n")


def _process(said: Mapping[str, list[Any]]) -> Process:
    opened: Opened = said["opened"][0]

    def all_of(event: str) -> tuple[Any, ...]:
        return tuple(said.get(event, ()))

    def last(event: str) -> Any:
        return said.get(event, [None])[-1]

    uses, evaluations = last("uses") or ((), 0)
    return Process(
        pid=opened.pid,
        rank=opened.rank,
        world=opened.world,
        versions={"torch": opened.torch, "python": opened.python},
        vitals=tuple({vital.step: vital for vital in all_of("vital")}.values()),  # a step may be read twice
        raised=all_of("raised"),
        diagnosed=all_of("diagnosed"),
        layers=all_of("layers"),
        samples=all_of("sampled"),
        notes=tuple(dict.fromkeys(all_of("note"))),
        aside=last("aside") or "",
        stopped=last("stopped"),
        cost=last("cost"),
        uses=uses,
        evaluations=evaluations,
        left=last("left"),
        retried=all_of("retried"),
    )


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "opened": partial(decode, Opened),
    "vital": partial(decode, Vital),
    "raised": partial(decode, RaisedEntry),
    "diagnosed": partial(decode, Diagnosed),
    "layers": partial(decode, LayerSample),
    "sampled": partial(decode, Sample),
    "note": lambda content: str(content["text"]),
    "aside": lambda content: str(content["text"]),
    "stopped": partial(decode, Stopped),
    "cost": partial(decode, Cost),
    "uses": lambda content: (decode(tuple[Use, ...], content["optimizers"]), int(content["evaluations"])),
    "retried": lambda content: decode(Retried, content["retried"]),
    "left": lambda content: int(content["after"]),
}
