from __future__ import annotations

import io
from pathlib import Path

import pytest

from gradcheck_cli.cli.announcing import MOST, announcing
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import AlarmKind, Raised, Replay
from gradcheck_cli.watch.session import Session


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    made = Terminal()
    monkeypatch.setattr("sys.stderr", made)
    monkeypatch.delenv("TERM", raising=False)
    return made


def raise_at(session: Session, step: int, message: str = "the loss is nan", **fields: object) -> None:
    alarm = Raised(kind=AlarmKind.NONFINITE, step=step, optimizer=0, message=message, evidence={})
    session.say("raised", raised=alarm, optimizer_step=step, replay=Replay.EXACT, reason="", **fields)


def test_an_alarm_is_told_in_a_line_of_its_own(tmp_path: Path, terminal: Terminal) -> None:
    announce = announcing(str(tmp_path), quiet=False)
    assert announce is not None
    announce()
    raise_at(Session(str(tmp_path)), 133, source=SourceLine(file="train.py", line=41), samples=(59,))
    announce()
    announce()
    line = "gradcheck: step 133: the loss is nan · train.py:41 · row 59; Ctrl-C ends the script with a report\n"
    assert terminal.getvalue() == f"\r\x1b[K{line}"


def test_nobody_is_told_too_much_or_what_a_terminal_would_obey(tmp_path: Path, terminal: Terminal) -> None:
    session, announce = Session(str(tmp_path)), announcing(str(tmp_path), quiet=False)
    assert announce is not None
    for step in range(1, MOST + 5):
        raise_at(session, step, "\x1b[31m\n")
    announce()
    assert terminal.getvalue().count("\n") == MOST and "\x1b[31m" not in terminal.getvalue()


def test_nothing_is_told_off_a_terminal(tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert announcing(str(tmp_path), quiet=True) is None
    monkeypatch.setenv("TERM", "dumb")
    assert announcing(str(tmp_path), quiet=False) is None
    monkeypatch.setattr("sys.stderr", io.StringIO())
    monkeypatch.delenv("TERM")
    assert announcing(str(tmp_path), quiet=False) is None
