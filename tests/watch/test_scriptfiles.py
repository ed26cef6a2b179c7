"""What is written inside is written nowhere, and what is written before and after is where it belongs."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from pathlib import Path

import pytest

from gradcheck_cli.watch.scriptfiles import unwritten


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other thread runs, whatever tests before have left behind."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


@pytest.mark.usefixtures("alone")
def test_files_that_are_open_get_nothing_of_what_is_written_inside(tmp_path: Path) -> None:
    text, plain = (tmp_path / "text").open("w"), os.open(tmp_path / "plain", os.O_WRONLY | os.O_CREAT)
    text.write("before\n")
    os.write(plain, b"before\n")
    with unwritten():
        text.write("inside\n")
        os.write(plain, b"inside\n")
    text.write("after\n")
    os.write(plain, b"after\n")
    text.close()
    os.close(plain)
    assert (tmp_path / "text").read_text() == (tmp_path / "plain").read_text() == "before\nafter\n"


@pytest.mark.usefixtures("alone")
def test_what_is_printed_by_the_system_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(1, b"before ")
    with unwritten():
        os.write(1, b"inside ")
        os.write(2, b"inside ")
    os.write(1, b"after")
    assert capfd.readouterr() == ("before after", "")


def test_what_is_opened_to_write_is_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "new"
    with unwritten():
        path.write_text("x")
        with path.open("x+") as file:
            file.write("x")
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    assert not path.exists()
    path.write_text("again")
    assert path.read_text() == "again"


def test_reading_goes_on_and_all_is_as_it_was_afterwards(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("one\ntwo\n")
    source, before = (tmp_path / "data").open(), (open, io.open, os.open)
    numbers = sorted(Path("/dev/fd").iterdir())
    with unwritten():
        assert source.readline() == "one\n"
        assert (tmp_path / "data").read_text() == "one\ntwo\n"
    assert source.readline() == "two\n"
    assert (open, io.open, os.open) == before
    assert sorted(Path("/dev/fd").iterdir()) == numbers
    source.close()


def test_what_other_threads_write_arrives(tmp_path: Path) -> None:
    file, go, done = (tmp_path / "text").open("w"), threading.Event(), threading.Event()

    def write() -> None:
        go.wait()
        file.write("of a thread")
        file.flush()
        (tmp_path / "new").write_text("of a thread")
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    with unwritten():
        go.set()
        assert done.wait(10)
    thread.join()
    file.close()
    assert (tmp_path / "text").read_text() == (tmp_path / "new").read_text() == "of a thread"


def test_the_folder_for_temporary_files_is_found_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tempfile.gettempdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    with unwritten():
        assert tempfile.gettempdir() == found
