"""How a command fails: one error, told once, with an exit code that is never 1."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.cli.failing import as_error, say, tell
from gradcheck_cli.errors import ConfigError, GradcheckError, InternalError, Interrupted, UsageError, UserCodeError


class Silent(Exception):
    def __str__(self) -> str:
        return ""


@pytest.mark.parametrize(
    ("raised", "kind", "message", "code"),
    [
        (UsageError("no such option"), UsageError, "no such option", 2),
        (ConfigError("x.yaml:1:1: bad"), ConfigError, "x.yaml:1:1: bad", 2),
        (Interrupted("interrupted while importing"), Interrupted, "interrupted while importing", 130),
        (KeyboardInterrupt(), Interrupted, "interrupted", 130),
        (ValueError("oops"), InternalError, "internal error: ValueError: oops", 2),
        (Silent(), InternalError, "internal error: Silent", 2),
        (KeyError("k"), InternalError, "internal error: KeyError: 'k'", 2),
    ],
)
def test_whatever_is_raised_becomes_one_error(
    raised: BaseException, kind: type[GradcheckError], message: str, code: int
) -> None:
    error = as_error(raised)
    assert type(error) is kind
    assert (error.message, error.exit_code) == (message, code)


def test_an_error_of_ours_is_handed_on_and_a_fault_of_ours_asks_to_be_reported() -> None:
    error = UsageError("x")
    assert as_error(error) is error
    assert "--debug" in as_error(ValueError()).hint


def test_an_error_is_told_with_its_frames_and_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    tell(UserCodeError("it raised", hint="mend it", frames=("  a.py:3 in f\n    f(x)", "  a.py:9 in g")))
    caught = capsys.readouterr()
    assert caught.out == ""
    assert caught.err == "error: it raised\n  a.py:3 in f\n    f(x)\n  a.py:9 in g\nhint: mend it\n"


def test_without_a_hint_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    tell(UsageError("it is wrong"))
    assert capsys.readouterr().err == "error: it is wrong\n"


def test_the_traceback_comes_first_where_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("oops")
    except ValueError as raised:
        tell(as_error(raised), raised)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-3] == "ValueError: oops"
    assert lines[-2] == "error: internal error: ValueError: oops"


class Stream(io.StringIO):
    """A stderr of another encoding, which refuses what it cannot hold."""

    encoding = "ascii"

    def write(self, text: str) -> int:
        text.encode(self.encoding)
        return super().write(text)


@given(text=st.text(st.characters() | st.sampled_from("\x1b\r\x00\u202e\ud800\t\n")))
def test_anything_can_be_said_and_nothing_controls_the_terminal(text: str) -> None:
    for stream in (Stream(), io.StringIO()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            say(text)
        written = stream.getvalue()
        assert written.count("\n") == text.count("\n") + 1
        assert all(line.isprintable() for line in written.split("\n"))


def test_tabs_become_columns_and_line_breaks_stay(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\tb\n\tc\r")
    assert capsys.readouterr().err == "a   b\n    c\\r\n"


@pytest.mark.parametrize("stderr", ["closed", "none"])
def test_a_stderr_that_is_gone_hides_no_exit_code(stderr: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream if stderr == "closed" else None)
    assert say("error: x") is None


def test_redacted_it_has_no_folder_and_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    frames = ("  /home/ann/secret/a.py:3 in f\n    f(x)",)
    message = "/home/ann/secret/a.py raised ValueError: patient 'Bob Smith' has 4711"
    tell(UserCodeError(message, hint="look at secret/data/rows.csv", frames=frames), redact=True)
    told = capsys.readouterr().err
    assert not [word for word in ("ann", "secret", "Bob", "4711", "data/") if word in told], told
    assert "a.py raised ValueError" in told and "a.py:3 in f" in told and "rows.csv" in told


def test_redacted_a_traceback_has_its_files_and_lines_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script = tmp_path / "a.py"
    script.write_text("raise ValueError('patient Bob')\n")
    try:
        exec(compile(script.read_text(), str(script), "exec"), {})
    except ValueError as raised:
        tell(as_error(raised), raised, redact=True)
    told = capsys.readouterr().err
    assert str(tmp_path) not in told and "internal error: ValueError" in told
    assert 'File "a.py", line 1' in told and "\nValueError\n" in told
