"""A session as it is read: while it is being written, and when the run has ended, in a stream and in bounded memory.

A process has its files one after the other; those that were read to their end, and are followed by another, are
deleted. Its alarms are judged as its vitals come, since not all of them are kept.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gradcheck_cli.records.codec import WrongShape, decode
from gradcheck_cli.records.retrying import Retried
from gradcheck_cli.records.session import Cost, LayerSample, Process, RaisedEntry, Sample, Stopped, Whole, Withdrawn
from gradcheck_cli.records.shadow import Shadowed
from gradcheck_cli.records.timeline import AlarmKind, Diagnosed, Use, Vital
from gradcheck_cli.watch.alarms import Alarms
from gradcheck_cli.watch.downsampling import VitalHistory
from gradcheck_cli.watch.session import Opened

_CUT = (
    "what was seen could not be written any more, so the rest of the run is not told: is the disk full, or a limit set?"
)
MOST_SAMPLES = 2_000
"""Sampled steps that are kept, of layers and of all else: when there are as many, every second one is left out."""
MOST_ALARMS = 1_000
"""Alarms that are kept of a process."""


@dataclass(frozen=True, slots=True)
class News:
    """What is new.

    Attributes:
        raised: Alarms of all processes.
        vitals, samples: What was read at every step, and on sampled ones, by the process whose curves are shown while
            it runs: the first of the lowest rank.
    """

    raised: tuple[RaisedEntry, ...] = ()
    vitals: tuple[Vital, ...] = ()
    samples: tuple[Sample, ...] = ()

    def latest(self) -> Vital | None:
        """What was read at the last step of the first optimiser."""
        return next((vital for vital in reversed(self.vitals) if vital.optimizer == 0), None)


class SessionReader:
    """Reads the session in a folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._read: dict[Path, int] = {}
        self._told: dict[str, _Told] = {}
        self._fresh: dict[str, list[Any]] = {}

    def news(self) -> News:
        """Take in what was written, and return what is new since the last time."""
        self._take_in()
        fresh, self._fresh = self._fresh, {}
        first = fresh.get(min(self._told, key=lambda whose: self._told[whose].rank, default=""), [])
        return News(
            raised=tuple(each for found in fresh.values() for each in found if isinstance(each, RaisedEntry)),
            vitals=tuple(each for each in first if isinstance(each, Vital)),
            samples=tuple(each for each in first if isinstance(each, Sample)),
        )

    def _take_in(self) -> None:
        paths = sorted(self._folder.glob("*.jsonl"), key=_in_order)
        for path, following in zip(paths, [*paths[1:], None], strict=False):
            with suppress(OSError):  # the script may delete it
                self._fresh.setdefault(_whose(path), []).extend(self._of(path))
                if following is not None and _whose(following) == _whose(path):
                    path.unlink()

    def _of(self, path: Path) -> Iterator[Any]:
        told = self._told.setdefault(_whose(path), _Told())
        with path.open("rb") as file:
            file.seek(self._read.get(path, 0))
            for line in file:
                told.cut = not line.endswith(b"\n")
                if told.cut:
                    return
                self._read[path] = self._read.get(path, 0) + len(line)
                with suppress(ValueError, WrongShape, KeyError, TypeError):  # of another version of gradcheck, or torn
                    event, content = json.loads(line)
                    if (read := told.take(event, content)) is not None:
                        yield read

    def processes(self, *, over: bool = True) -> tuple[Process, ...]:
        """What each process has left so far, by rank; lines that were not finished are passed over.

        Args:
            over: Whether the run is: else its last step may be told once more, and is left out.
        """
        self._take_in()
        if not self._folder.is_dir() and not self._told:
            return (
                Process(pid=0, aside=f"the folder of its session, {self._folder}, was deleted while the script ran"),
            )
        aside = [_read_note(path) for path in sorted(self._folder.glob("*.note"))]
        told = [process for each in self._told.values() if (process := each.process(over=over)) is not None]
        return tuple(sorted((*told, *aside), key=lambda process: (process.rank, process.pid)))


def read(folder: str) -> tuple[Process, ...]:
    """What each process left in the session in a folder, by rank."""
    return SessionReader(folder).processes()


def _whose(path: Path) -> str:
    return path.name.partition(".")[0]


def _in_order(path: Path) -> tuple[str, str]:
    return _whose(path), path.name if path.name.count(".") > 1 else ""


def _read_note(path: Path) -> Process:
    """A process to which the watcher could not be attached."""
    return Process(pid=int(path.stem), aside=path.read_text(encoding="utf-8", errors="replace").strip())


class _Told:
    """What one process has told so far.

    Attributes:
        raised: Its alarms.
        cut: Whether its file ends within a line: each is written whole, so that there was no room for it.
    """

    def __init__(self) -> None:
        self.raised: list[RaisedEntry] = []
        self.cut = False
        self._opened: Opened | None = None
        self._alarms, self._kept = Alarms(), VitalHistory()
        self._vital: Vital | None = None  # the last one: a step may be read twice
        self._sample: Sample | None = None
        self._last: dict[str, Any] = {}
        self._lists: dict[str, list[Any]] = {"diagnosed": [], "layers": [], "sampled": [], "retried": []}
        self._notes: dict[str, None] = {}
        self._before: Whole | None = None

    @property
    def rank(self) -> float:
        """As torch.distributed counts."""
        return math.inf if self._opened is None else self._opened.rank

    def take(self, event: str, content: Any) -> Any:
        """The next line; what it holds, if that is news.

        Raises:
            WrongShape, KeyError, TypeError: It is none of ours.
        """
        if event == "vital":
            vital = _vital(content)
            self._take_vital(vital)
            return vital
        if event == "diagnosed" and content["report"] is None:
            self._notes[f"step {content['step']} was not diagnosed: {content['reason']}"] = None
        elif event == "note":
            self._notes[str(content["text"])] = None
        else:
            read = _READERS[event](content)
            self._take(event, read)
            return read if event in ("raised", "sampled") else None
        return None

    def _take(self, event: str, read: Any) -> None:
        if event == "opened":
            self._opened = self._opened or read
        elif event == "raised":
            self._raise(read)
        elif event == "withdrawn":
            self._alarms.withdraw(read)
        elif event in self._lists:
            kept = self._lists[event]
            kept.append(read)
            if event == "sampled":
                self._sample = read
            if event in ("layers", "sampled") and len(kept) > MOST_SAMPLES:
                del kept[1::2]
        else:
            if event == "left":
                self._commit()
                self._before = self._whole()
            self._last[event] = read

    def _raise(self, entry: RaisedEntry) -> None:
        if entry.raised.kind is AlarmKind.LOOP:
            self._alarms.know(entry.raised)
        if len(self.raised) < MOST_ALARMS or entry.report is not None:
            self.raised.append(entry)

    def _take_vital(self, vital: Vital) -> None:
        if self._vital is not None and vital.step != self._vital.step:
            self._commit()
        self._vital = vital

    def _commit(self) -> None:
        """Nothing more is told of the last step."""
        vital, self._vital = self._vital, None
        if vital is None:
            return
        self._kept.append(vital)
        self._alarms.see(vital)
        if self._sample is not None and self._sample.step == vital.step:
            self._alarms.sampled(self._sample)

    def _whole(self) -> Whole:
        kept = self._kept
        return Whole(judged=self._alarms.judged(), updates=kept.updates, unread=dict(kept.unread), curves=kept.curves())

    def process(self, *, over: bool) -> Process | None:
        """All of it; None for a file without a beginning. What comes later can still be taken in, if it is not over."""
        if self._opened is None:
            return None
        if over:
            self._commit()
        uses, evaluations = self._last.get("uses", ((), 0))
        return Process(
            pid=self._opened.pid,
            rank=self._opened.rank,
            world=self._opened.world,
            versions={"torch": self._opened.torch, "python": self._opened.python},
            vitals=self._kept.vitals(),
            raised=tuple(self.raised),
            diagnosed=tuple(self._lists["diagnosed"]),
            layers=tuple(self._lists["layers"]),
            samples=tuple(self._lists["sampled"]),
            retried=tuple(self._lists["retried"]),
            notes=(*self._notes, *([_CUT] if self.cut else [])),
            aside=self._last.get("aside", ""),
            stopped=self._last.get("stopped"),
            cost=self._last.get("cost"),
            uses=uses,
            evaluations=evaluations,
            left=self._last.get("left"),
            shadowed=self._last.get("shadowed"),
            whole=self._whole(),
            whole_before=self._before,
        )


_KINDS = {"loss": float, "grad_norm": float, "scale": float, "rate": float, "finite": bool, "skipped": bool}
"""Of the fields of a vital those that are no integers."""


def _vital(content: Any) -> Vital:
    """A vital; nearly all are plain, and reading them by their annotations takes ten times as long."""
    if all([type(value) is _KINDS.get(name, int) for name, value in content.items()]):  # noqa: C419 - every step
        return Vital(**content)
    vital: Vital = decode(Vital, content)
    return vital


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "opened": partial(decode, Opened),
    "raised": partial(decode, RaisedEntry),
    "diagnosed": partial(decode, Diagnosed),
    "layers": partial(decode, LayerSample),
    "sampled": partial(decode, Sample),
    "aside": lambda content: str(content["text"]),
    "stopped": partial(decode, Stopped),
    "cost": partial(decode, Cost),
    "uses": lambda content: (decode(tuple[Use, ...], content["optimizers"]), int(content["evaluations"])),
    "shadowed": lambda content: decode(Shadowed, content["shadowed"]),
    "retried": lambda content: decode(Retried, content["retried"]),
    "withdrawn": lambda content: decode(Withdrawn, content["withdrawn"]),
    "left": lambda content: int(content["after"]),
}
