"""Where in the user's code something is done."""

from __future__ import annotations

import sys
import sysconfig
from types import FrameType

from gradcheck_cli.watch.entries import Place
from gradcheck_cli.watch.tracebacks import OURS, TORCH

_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_LIBRARY_FRAMES = 3
"""A trainer's loop is further from the script that started it than a loss function from the script that calls it."""


def kind_of(file: str) -> str:
    """Whose a file is: not worth telling, a library's, or the user's."""
    if file.startswith((TORCH, OURS, "<frozen")):
        return "torch"
    return "library" if file.startswith(_LIBRARIES) else "user"


class _Kinds(dict[str, str]):
    """Whose each file is that was met."""

    def __missing__(self, file: str) -> str:
        self[file] = found = kind_of(file)
        return found


class Places:
    """Looks for them, and knows the files that it has met."""

    def __init__(self) -> None:
        self._kinds = _Kinds()

    def here(self, most: int = _LIBRARY_FRAMES) -> Place | None:
        """Where the caller's caller was called by the user.

        The innermost line of the user's, if no more than so many frames of libraries are above it; else theirs.
        """
        frame: FrameType | None = sys._getframe(2)
        kinds, library, count = self._kinds, None, 0
        while frame is not None:
            code = frame.f_code
            kind = kinds[code.co_filename]
            if kind == "user":
                return code, frame.f_lasti
            if kind == "library":
                library = library or (code, frame.f_lasti)
                count += 1
                if count > most:
                    break
            frame = frame.f_back
        return library
