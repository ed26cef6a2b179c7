"""What a user names is a plain file, or one reason at once why it is none."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from gradcheck_cli.errors import UsageError
from gradcheck_cli.opening import Unreadable, content, is_special, look, text_of, working_folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with something of every kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "folder").mkdir()
    os.mkfifo("fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    for name, to in (
        ("to-file", "file"),
        ("nowhere", "none"),
        ("loop", "loop"),
        ("zero", "/dev/zero"),
        ("pipe", "fifo"),
    ):
        (tmp_path / name).symlink_to(to)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reason", "missing"),
    [
        ("none", "is not there", True),
        ("file/x", "is not there", True),
        ("nowhere", "is a link that leads nowhere", True),
        ("folder", "is a folder", False),
        ("fifo", "is a FIFO, not a file", False),
        ("pipe", "is a FIFO, not a file", False),
        ("socket", "is a socket, not a file", False),
        ("zero", "is a device, not a file", False),
        ("loop", "is a link that leads back to itself", False),
        ("n" * 300, "the name is too long", False),
        ("n/" * 3000, "the name is too long", False),
        ("a\0b", "cannot be a file's name", False),
        ("\ud800", "cannot be a file's name", False),
    ],
)
def test_what_is_no_file_is_told_at_once(name: str, reason: str, missing: bool, here: Path) -> None:
    for opened in (look, lambda path: content(path, 9), lambda path: text_of(path, 9)):
        with pytest.raises(Unreadable, match=reason) as error:
            opened(Path(name))
        assert error.value.missing is missing


def test_a_file_is_read_whole_or_not_at_all(here: Path) -> None:
    assert content(Path("to-file"), 4) == b"text"
    with pytest.raises(Unreadable, match="is larger than 0 MiB"):
        content(Path("file"), 3)


def test_text_is_utf8_with_or_without_a_mark(here: Path) -> None:
    for held, text in ((b"\xef\xbb\xbf\xc3\xa9", "é"), (b"\xc3\xa9", "é"), (b"", "")):
        Path("file").write_bytes(held)
        assert text_of(Path("file"), 9) == text
    Path("file").write_bytes(b"ab\xff")
    with pytest.raises(Unreadable, match="is not UTF-8 \\(at byte 2\\)"):
        text_of(Path("file"), 9)


def test_what_is_written_to_and_not_replaced(here: Path) -> None:
    special = {
        name for name in ("file", "folder", "fifo", "socket", "zero", "pipe", "none", "loop") if is_special(Path(name))
    }
    assert special == {"fifo", "pipe", "zero"}


def test_a_working_folder_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert working_folder() == tmp_path
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir("gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UsageError, match="is gone"):
        working_folder()
