"""The journal: every report is on disk as soon as its check is finished, so that a killed run loses none of it.

One JSON object a line: first the schema, then for each finished check the key of what was planned and its report.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gradcheck_cli import __version__
from gradcheck_cli.errors import ReportError
from gradcheck_cli.opening import Unreadable, content
from gradcheck_cli.records.documents import report_from_dict, report_to_dict
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.suite.runner import run_plan

_LARGEST = 2**31
"""Bytes."""
_HEADER = b'{"schema": "gradcheck-journal/1"}\n'


class Journal:
    """A file to which reports are appended; a disk that is full ends the journal, not the run.

    Attributes:
        path: The file, which is never a link to it.
        fault: Why it could not be written, or "".
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))
        self.fault = ""

    def start(self, *, resume: bool) -> None:
        """Make the file, or get an old one ready to be appended to.

        Raises:
            ReportError: What is there is no journal; it is left as it is.
        """
        old = self._content()
        try:
            if not resume:
                self.path.unlink(missing_ok=True)  # a run that is still writing to it keeps its own
                old = b""
            if not old.startswith(_HEADER):
                self.path.write_bytes(_HEADER)
            elif not old.endswith(b"\n"):
                self._write(b"\n")  # after a line that was torn
        except OSError as error:
            self._give_up(error)

    def finished(self, plan: Sequence[PlannedCheck]) -> dict[int, Report]:
        """The reports of those checks that the file holds just as they are planned now, by their place.

        Raises:
            ReportError: What is there is no journal.
        """
        lines = self._content().splitlines()[1:]
        saved = dict(entry for line in lines if (entry := _entry(line)))
        keys = {place: key_of(planned) for place, planned in enumerate(plan)}
        return {place: saved[key] for place, key in keys.items() if key in saved}

    def append(self, planned: PlannedCheck, report: Report) -> None:
        """Add a finished check, at once."""
        line = {"key": key_of(planned), "report": report_to_dict(report, exact=True)}
        if not self.fault:
            try:
                self._write(json.dumps(line, allow_nan=False).encode("ascii") + b"\n")
            except OSError as error:
                self._give_up(error)

    def remove(self) -> None:
        """Remove it: the run is complete."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            self._give_up(error)

    def _content(self) -> bytes:
        """What is there, if anything is; a device or a FIFO would be read for ever, and removed at the end."""
        try:
            held = content(self.path, _LARGEST)
        except Unreadable as error:
            if error.missing:
                return b""
            raise ReportError(f"{self.path} {error}", hint="Give another --journal FILE.") from error
        if not (held.startswith(_HEADER) or _HEADER.startswith(held)):
            raise ReportError(f"{self.path} is not a journal of gradcheck", hint="Give another --journal FILE.")
        return held

    def _write(self, lines: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(lines)

    def _give_up(self, error: OSError) -> None:
        self.fault = f"{self.path}: cannot be written: {error.strerror or error}; --resume may not know what finished"


def journaled(
    plan: Sequence[PlannedCheck],
    workers: int,
    journal: Journal,
    *,
    resume: bool,
    on_start: Callable[[int], None] = lambda place: None,
) -> Generator[tuple[int, Report], None, None]:
    """Run a plan as `run_plan` does, with a journal; to resume is to yield first what is in it, and run the rest.

    The journal goes once every check is finished.

    Raises:
        ReportError: The file is there and is no journal.
    """
    journal.start(resume=resume)
    saved = journal.finished(plan)
    yield from sorted(saved.items())
    missing = [place for place in range(len(plan)) if place not in saved]
    rest = run_plan([plan[place] for place in missing], workers, lambda place: on_start(missing[place]))
    with closing(rest):
        for place, report in rest:
            journal.append(plan[missing[place]], report)
            yield missing[place], report
    journal.remove()


def key_of(planned: PlannedCheck) -> str:
    """A key that changes with all that is planned of a check, its files' times, and the version of gradcheck."""
    parts = repr((__version__, planned, _times(planned.spec)))
    return hashlib.sha256(parts.encode("utf-8", "backslashreplace")).hexdigest()


def _times(spec: CheckSpec | RunOptions) -> list[tuple[int, int]]:
    """Size and time of change of the files that a check names; what their code imports is not looked at."""
    if isinstance(spec, RunOptions):
        names = [name for text in spec.command for name in (text, text.rpartition("=")[2])]  # --config=FILE
    else:
        texts = [text for text in (spec.model, spec.batch, spec.loss, spec.step, spec.weights) if text]
        names = [name for text in texts for name in (text, text.rpartition(":")[0])]
    return [found for name in names if (found := _time(name))]


def _time(name: str) -> tuple[int, int] | None:
    """Size and time of change of a file; None for what is none, nor perhaps a name that one could have."""
    try:
        found = Path(name).stat()
    except (OSError, ValueError):
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _entry(line: bytes) -> tuple[str, Report] | None:
    """Key and report of a line; None for one that was torn, whose check is run again."""
    try:
        entry: Any = json.loads(line)
        return str(entry["key"]), report_from_dict(entry["report"])
    except (ValueError, KeyError, TypeError, RecursionError, ReportError):
        return None
