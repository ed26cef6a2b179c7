"""`path/file.py[:NAME]` and `package.module[:NAME]`, and the files they name; without torch."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from gradcheck_cli.errors import TargetError, UsageError
from gradcheck_cli.opening import Unreadable, look
from gradcheck_cli.suffixes import CODE, DATA, PYTHON, WEIGHTS, suffix_of
from gradcheck_cli.target.code.locating import located
from gradcheck_cli.words import did_you_mean

USUAL_NAMES = ("model", "build_model", "make_model", "get_model", "create_model", "net")
"""What people call a model, or the function that builds it."""

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """Where an object lives: a file or a module (`location`), and a dotted `name` in it or ""."""

    location: str
    name: str
    is_file: bool


def parse_model(text: str, option: str = "MODEL") -> Reference:
    """Read MODEL, or the reference that another option holds.

    Raises:
        UsageError: It is neither a Python file nor a dotted module name.
        TargetError: It names a file that is not there.
    """
    location, name = _split(text)
    if _looks_like_file(location):
        _check_python_file(location, option)
        return Reference(location=location, name=name, is_file=True)
    if not _DOTTED.fullmatch(location):
        raise UsageError(
            f"{option} `{text}` is neither a Python file nor a module",
            hint="Write path/file.py, path/file.py:NAME, package.module or package.module:NAME.",
        )
    return Reference(location=location, name=name, is_file=False)


def parse_object(text: str, option: str) -> Reference:
    """Read the value of --batch, --loss or --step; a plain NAME has an empty `location`.

    Raises:
        UsageError: It cannot be a name in a file.
        TargetError: It names a file that is not there.
    """
    location, name = _split(text)
    if name or _looks_like_file(location):
        if not name:
            raise UsageError(f"{option} `{text}` names no object", hint=f"Write {option} {text}:NAME.")
        reference = parse_model(f"{location}:{name}", option)
        return Reference(location=reference.location, name=name, is_file=reference.is_file)
    if not _DOTTED.fullmatch(text):
        raise UsageError(
            f"{option} `{text}` is not a name",
            hint=f"Write {option} file.py:NAME, or a NAME in the model's file.",
        )
    return Reference(location="", name=text, is_file=False)


def is_data_file(text: str) -> bool:
    """Whether an option's value names a data file rather than Python or a spec."""
    return suffix_of(text) in DATA


def check_file(path: str, option: str) -> None:
    """Check that a file can be opened.

    Raises:
        TargetError: There is none, or it is a folder, a FIFO, a device.
    """
    file = located(path)
    try:
        look(file)
    except Unreadable as error:
        if not error.missing:
            raise TargetError(f"{option} `{path}` {error}", hint="Name a file.") from error
        beside = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
        where = "" if file.parent.is_dir() else f" (nor a folder `{Path(path).parent}`)"
        raise TargetError(
            f"{option}: there is no file `{path}`{where}{did_you_mean(file.name, beside)}",
            hint="Paths are taken from the folder that gradcheck runs in.",
        ) from error


def _check_python_file(path: str, option: str) -> None:
    check_file(path, option)
    suffix = suffix_of(path)
    if suffix in WEIGHTS:
        raise UsageError(
            f"{option} `{path}` holds weights, not code",
            hint=f"Write: gradcheck check FILE.py --weights {path}",
        )
    if suffix != PYTHON:
        raise UsageError(
            f"{option} `{path}` is not a Python file",
            hint="Put the code that builds the model into a .py file and name that.",
        )


def _split(text: str) -> tuple[str, str]:
    # The last colon, and only before a name: `C:\x.py` has one that belongs to the path, as a file `a:b.py` has.
    before, colon, after = text.rpartition(":")
    if colon and before and _DOTTED.fullmatch(after) and not _exists(text):
        return before, after
    return text, ""


def _looks_like_file(location: str) -> bool:
    return (
        "/" in location
        or "\\" in location
        or suffix_of(location) in (*CODE, *WEIGHTS)
        or (bool(location) and _exists(location) and not _is_package(location))
    )


def _exists(location: str) -> bool:
    return os.path.lexists(located(location))  # unlike Path.exists, of a name that is too long as well


def _is_package(location: str) -> bool:
    return _exists(f"{location}/__init__.py")
