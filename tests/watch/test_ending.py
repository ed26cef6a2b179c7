"""Whoever ends the script is heard, and does what he does without us."""

from __future__ import annotations

import builtins
import sys
import threading
from collections.abc import Iterator

import pytest

from gradcheck_cli.watch.ending import listen


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException | None]]:
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)  # a library of another test may have set its own
    found: list[BaseException | None] = []
    before = sys.excepthook, sys.__excepthook__, sys.exit, threading.excepthook
    undo = listen(found.append, lambda: None)
    yield found
    undo()
    assert (sys.excepthook, sys.__excepthook__, sys.exit, threading.excepthook) == before


def test_an_exception_is_told_and_printed(
    heard: list[BaseException | None], capsys: pytest.CaptureFixture[str]
) -> None:
    error = ValueError("the loss is nan")
    sys.excepthook(ValueError, error, None)
    assert heard == [error]
    assert "ValueError: the loss is nan" in capsys.readouterr().err


def test_the_hook_is_still_what_python_came_with(heard: list[BaseException | None]) -> None:
    assert sys.excepthook is sys.__excepthook__
    assert sys.exit.__name__ == "exit"


@pytest.mark.parametrize("status", [1, "it is nan", -3])
@pytest.mark.parametrize("name", ["sys", "exit", "quit"])
def test_leaving_with_a_status_is_told(
    heard: list[BaseException | None], name: str, status: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    leave = sys.exit if name == "sys" else getattr(builtins, name)
    with pytest.raises(SystemExit) as raised:
        leave(status)
    assert raised.value.code == status and heard == [None]


@pytest.mark.parametrize("arguments", [(), (None,), (0,)])
@pytest.mark.parametrize("name", ["sys", "exit"])
def test_leaving_when_all_is_well_is_not(
    heard: list[BaseException | None], name: str, arguments: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    leave = sys.exit if name == "sys" else builtins.exit
    with pytest.raises(SystemExit) as raised:
        leave(*arguments)  # type: ignore[arg-type]
    assert raised.value.code in (None, 0) and heard == []


def test_an_error_in_a_thread_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    heard: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_value))
    undo = listen(heard.append, lambda: None)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    undo()
    assert heard == [] and isinstance(told[0], ZeroDivisionError)


def test_a_hook_that_the_script_has_put_there_stays() -> None:
    before = sys.excepthook
    undo = listen(lambda error: None, lambda: None)
    sys.excepthook = own = lambda *args: None
    undo()
    found, sys.excepthook = sys.excepthook, before
    assert found is own
