"""Tracebacks as they would be without us: the user reads what plain Python prints."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

import torch

OURS = str(Path(__file__).parent.parent)
TORCH = str(Path(torch.__file__).parent)
_OVERRIDES = str(Path(torch.__file__).parent / "overrides.py")


def trimmed(error: BaseException) -> None:
    """Take frames of ours off the top of what was raised inside a call of ours.

    A bare `raise` adds no entry of its own.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(OURS):
        trace = trace.tb_next
    error.__traceback__ = trace


def hidden(call: Callable[..., Any]) -> Callable[..., Any]:
    """A wrapper that does not show in a traceback."""

    @functools.wraps(call)
    def tapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except BaseException as error:
            trimmed(error)
            raise

    return tapped


def deeper() -> Callable[[], None]:
    """From now on, there is room for our frames: one beside the four calls that each module inside another takes."""
    limit = sys.getrecursionlimit()
    ours = limit + limit // 2
    sys.setrecursionlimit(ours)

    def undo() -> None:
        if sys.getrecursionlimit() == ours:  # else the script has set its own
            with suppress(RecursionError):  # too much of it is in use
                sys.setrecursionlimit(limit)

    return undo


def cleared(error: BaseException | None) -> None:
    """Take out of the tracebacks of an error, and of those that it came from, what is there because of us.

    A function of torch's that is written in Python hands itself to whoever watches functions, who calls it again.
    Where nobody is seen in between, it was the tape: then it is one call without us.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        kept: list[TracebackType] = []
        trace = error.__traceback__
        while trace is not None:
            if (
                len(kept) > 1
                and handed_over(kept[-1].tb_frame.f_code)
                and trace.tb_frame.f_code is kept[-2].tb_frame.f_code
            ):
                del kept[-2:]
            kept.append(trace)
            trace = trace.tb_next
        for one, other in pairwise(kept):
            one.tb_next = other
        error.__traceback__ = kept[0] if kept else None
        error = error.__cause__ or error.__context__


def handed_over(code: CodeType) -> bool:
    """Whether it is that by which a function of torch's hands itself to whoever watches functions."""
    return code.co_name == "handle_torch_function" and code.co_filename == _OVERRIDES
