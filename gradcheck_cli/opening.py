"""Whatever a user names is opened here: a plain file that is there, or one reason at once why it is none.

Opening a FIFO waits for a writer, reading a device like /dev/zero never ends, and a socket cannot be opened at all, so
what a name stands for is looked at first. The reasons are the second halves of sentences: `x.npy` + " is a folder".
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from gradcheck_cli.errors import UsageError

LARGEST_DOCUMENT = 2**28
"""Bytes of a saved report, a baseline or a table that are read; a report of 100,000 layers has a quarter of it."""
_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a FIFO, not a file"),
    (stat.S_ISSOCK, "is a socket, not a file"),
    (stat.S_ISCHR, "is a device, not a file"),
    (stat.S_ISBLK, "is a device, not a file"),
)
_WORDS = {
    errno.ENOENT: "is not there",
    errno.ENOTDIR: "is not there: what should be a folder on the way is none",
    errno.ELOOP: "is a link that leads back to itself",
    errno.ENAMETOOLONG: "cannot be a file: the name is too long",
}


class Unreadable(ValueError):
    """A name that cannot be read; the message is the second half of a sentence.

    Attributes:
        missing: Nothing has that name.
    """

    def __init__(self, reason: str, *, missing: bool = False) -> None:
        super().__init__(reason)
        self.missing = missing


def look(path: Path) -> None:
    """See that a path leads to a plain file.

    Raises:
        Unreadable: It does not.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    for is_one, reason in _KINDS:
        if is_one(mode):
            raise Unreadable(reason)


def content(path: Path, most: int) -> bytes:
    """What a plain file holds.

    Args:
        path: The file.
        most: Bytes that it may have.

    Raises:
        Unreadable: It is no plain file, cannot be read, or is larger.
    """
    look(path)
    try:
        # Not to wait even if a FIFO has taken the file's place since.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            held = file.read(most + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(held) > most:
        raise Unreadable(f"is larger than {most // 2**20} MiB")
    return held


def text_of(path: Path, most: int) -> str:
    """What a plain file of text in UTF-8 holds; a mark of the byte order at its beginning is left out.

    Raises:
        Unreadable: As for `content`, or it is not UTF-8.
    """
    try:
        return content(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"is not UTF-8 (at byte {error.start})") from error


def is_special(path: Path) -> bool:
    """Whether a path leads to a device or a FIFO, which is written to and not replaced."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def working_folder() -> Path:
    """The folder that we are in.

    Raises:
        UsageError: It was removed.
    """
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        message = "the folder that gradcheck runs in is gone"
        raise UsageError(message, hint="Go to one that is there: cd FOLDER.") from error


def _unreadable(path: Path, error: OSError | ValueError) -> Unreadable:
    if not isinstance(error, OSError):  # a zero, or half of a character
        return Unreadable("cannot be a file's name")
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        return Unreadable("is a link that leads nowhere", missing=True)
    reason = _WORDS.get(error.errno or 0, f"cannot be read: {error.strerror or error}")
    return Unreadable(reason, missing=isinstance(error, FileNotFoundError | NotADirectoryError))
