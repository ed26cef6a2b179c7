"""The current stage on stderr, for a person only."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gradcheck_cli.cli.progress import stages


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, *, quiet: bool = False, color: bool = False) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "80")
    with stages(quiet=quiet, color=color) as on_stage:
        on_stage("loading")
        on_stage("trying [b]a remedy[/b]", 1, 4)
    return stream.getvalue()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_terminal_is_shown_the_last_stage_as_it_was_worded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert "trying [b]a remedy[/b]" in plain(shown(Terminal(), monkeypatch))


def test_nothing_of_it_is_left_on_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    after_the_last_line_was_erased = shown(Terminal(), monkeypatch).rpartition("\x1b[2K")[2]
    assert plain(after_the_last_line_was_erased).strip() == ""


@pytest.mark.parametrize(
    ("stream", "term", "quiet"),
    [(io.StringIO(), "xterm", False), (Terminal(), "dumb", False), (Terminal(), "xterm", True)],
    ids=["a pipe", "a dumb terminal", "quiet"],
)
def test_nobody_else_is_shown_anything(
    stream: io.StringIO, term: str, quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    assert shown(stream, monkeypatch, quiet=quiet) == ""


def test_what_is_raised_inside_comes_out_and_the_terminal_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(ValueError, match="oops"), stages(quiet=False, color=False) as on_stage:
        on_stage("loading")
        raise ValueError("oops")
    assert stream.getvalue().rfind("\x1b[?25h") > stream.getvalue().rfind("\x1b[?25l")  # the cursor is back


def test_a_terminal_gets_a_spinner_on_stderr_and_a_pipe_does_not(tmp_path: Path) -> None:
    stage = "from gradcheck_cli.cli.progress import stages\n"
    stage += "with stages(quiet=False, color=True) as on_stage: on_stage('probing [red]')"
    outer, inner = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    ended = subprocess.run([sys.executable, "-c", stage], stdout=subprocess.PIPE, stderr=inner, env=environment)
    os.close(inner)
    shown = os.read(outer, 10_000)
    os.close(outer)
    assert ended.stdout == b""
    assert shown
    piped = subprocess.run([sys.executable, "-c", stage], capture_output=True, env=environment)
    assert (piped.stdout, piped.stderr) == (b"", b"")
