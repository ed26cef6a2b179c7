"""Paths are taken from the folder that gradcheck was started in, wherever the user's code goes from there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from gradcheck_cli.opening import working_folder

_start: ContextVar[Path | None] = ContextVar("start", default=None)


@contextmanager
def started_here() -> Iterator[None]:
    """Inside, paths are taken from the folder that we are in now."""
    token = _start.set(working_folder())
    try:
        yield
    finally:
        _start.reset(token)


def start() -> Path:
    """The folder that paths are taken from.

    Raises:
        UsageError: It is gone.
    """
    return _start.get() or working_folder()


def located(path: str | os.PathLike[str]) -> Path:
    """Where a path that the user gave leads."""
    return start() / path
