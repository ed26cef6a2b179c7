from __future__ import annotations

import io
import sys

import pytest

from gradcheck_cli.cli.announcing import MOST, announcing
from gradcheck_cli.records.session import RaisedEntry
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import AlarmKind, Raised


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def on(terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal as stderr; within the test, since pytest puts its own there for each phase."""
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.delenv("TERM", raising=False)
    return terminal


def entry(step: int, message: str = "the loss is nan", **fields: object) -> RaisedEntry:
    alarm = Raised(kind=AlarmKind.NONFINITE, step=step, optimizer=0, message=message, evidence={})
    return RaisedEntry(raised=alarm, optimizer_step=step, **fields)  # type: ignore[arg-type]


def test_an_alarm_is_told_in_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on(Terminal(), monkeypatch)
    announce = announcing(quiet=False)
    assert announce is not None
    announce(entry(133, source=SourceLine(file="train.py", line=41), samples=(59,)))
    line = "gradcheck: step 133: the loss is nan · train.py:41 · row 59; Ctrl-C ends the script with a report\n"
    assert terminal.getvalue() == f"\r\x1b[K{line}"


def test_nobody_is_told_too_much_or_what_a_terminal_would_obey(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on(Terminal(), monkeypatch)
    announce = announcing(quiet=False)
    assert announce is not None
    for step in range(1, MOST + 5):
        announce(entry(step, "\x1b[31m\n"))
    assert terminal.getvalue().count("\n") == MOST and "\x1b[31m" not in terminal.getvalue()


def test_nothing_is_told_off_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    on(Terminal(), monkeypatch)
    assert announcing(quiet=True) is None
    monkeypatch.setenv("TERM", "dumb")
    assert announcing(quiet=False) is None
    on(io.StringIO(), monkeypatch)
    assert announcing(quiet=False) is None
