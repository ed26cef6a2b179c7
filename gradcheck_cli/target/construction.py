"""Where the user's code built each module: what an nn.Sequential calls is called by no line of theirs."""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from torch import nn

from gradcheck_cli.target.usercode import is_users


class Constructions:
    """The file and line at which each module was built; a copy of a module was built nowhere."""

    def __init__(self) -> None:
        self._places: dict[int, tuple[weakref.ref[nn.Module], str, int]] = {}

    def note(self, module: nn.Module, frame: FrameType | None) -> None:
        """Remember the innermost line of the user's at or above `frame` that is not the module's own constructor."""
        while frame is not None and (_constructs(frame, module) or not is_users(frame.f_code.co_filename)):
            frame = frame.f_back
        if frame is not None:
            self._places[id(module)] = (weakref.ref(module), frame.f_code.co_filename, frame.f_lineno)

    def of(self, model: nn.Module) -> Mapping[str, tuple[str, int]]:
        """File and line of the model's modules by their dotted names."""
        noted = ((path, module, self._places.get(id(module))) for path, module in model.named_modules())
        return {path: place[1:] for path, module, place in noted if place is not None and place[0]() is module}


@contextmanager
def watched_construction() -> Iterator[Constructions]:
    """Note every module that is built inside."""
    noted, original = Constructions(), nn.Module.__init__

    @functools.wraps(original)
    def watched(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        noted.note(self, sys._getframe(1))

    nn.Module.__init__ = watched  # type: ignore[method-assign]
    try:
        yield noted
    finally:
        nn.Module.__init__ = original  # type: ignore[method-assign]


def _constructs(frame: FrameType, module: nn.Module) -> bool:
    code = frame.f_code
    return code.co_name == "__init__" and code.co_argcount > 0 and frame.f_locals.get(code.co_varnames[0]) is module
