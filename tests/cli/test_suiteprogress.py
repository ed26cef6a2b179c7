"""How far a suite is."""

from __future__ import annotations

import pytest

from gradcheck_cli.cli import suiteprogress
from gradcheck_cli.cli.suiteprogress import SuiteProgress, suite_progress
from tests.reports.examples import failed, healthy, vanishing

NAMES = ["[red]a.py", "b.py", "c.py", "d.py", "e.py", "f.py"]


def test_the_line_tells_what_runs_what_came_of_the_others_and_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 30.0])
    monkeypatch.setattr(suiteprogress.time, "monotonic", lambda: next(clock))
    progress = SuiteProgress(NAMES, lines=False)
    assert progress.line() == "0 of 6 done"
    for place in range(4):
        progress.start(place)
    assert progress.line() == "0 of 6 done · running `[red]a.py`, `b.py` and 2 more"
    for place, report in enumerate((vanishing(), healthy(), failed())):
        progress.finish(place, report)
    assert progress.line() == "3 of 6 done, 1 ill, 1 failed · running `d.py` · about 30 s left"


def test_what_comes_from_a_journal_says_nothing_of_the_time_that_is_left() -> None:
    progress = SuiteProgress(NAMES, lines=False)
    progress.finish(0, healthy())
    assert progress.line() == "1 of 6 done"


def test_off_a_terminal_every_finished_check_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with suite_progress(NAMES, quiet=False, color=False) as progress:
        progress.start(0)
        progress.finish(0, healthy())
        progress.finish(5, failed())
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[1/6] ok [red]a.py (0.6 s)"
    assert lines[1].startswith("[2/6] failed f.py: ")
    assert len(lines) == 2


def test_a_line_of_a_redacted_suite_tells_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    with suite_progress(["secret/net.py"], quiet=False, color=False, redact=True) as progress:
        progress.start(0)
        progress.finish(0, healthy())
    assert capsys.readouterr().err == "[1/1] ok net.py (0.6 s)\n"


def test_nothing_is_said_where_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with suite_progress(NAMES, quiet=True, color=False) as progress:
        progress.start(0)
        progress.finish(0, healthy())
    assert capsys.readouterr().err == ""


def test_on_a_terminal_there_is_one_live_line_that_reads_no_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suiteprogress.sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with suite_progress(NAMES, quiet=False, color=False) as progress:
        progress.start(0)
        assert "[red]a.py" in str(progress.__rich__())
        progress.finish(0, healthy())
    assert "[1/6]" not in capsys.readouterr().err
