"""Warnings that point at the line that they would point at without us, and are shown as often.

A warning belongs to the innermost frame, or to one so many frames above it; where that is one of ours, it is told again
of the frame that called us.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType
from typing import Any

from gradcheck_cli.watch.tracebacks import OURS, handed_over

_OURS: Any = ("always", None, Warning, re.compile(r"gradcheck_cli\."), 0)
"""Python forgets none that is told of one of our lines: it may be of two of the user's."""


def retelling() -> Callable[[], None]:
    """From now on, warnings are told of the lines that they are about; what is returned ends that."""
    shown: Any = warnings._showwarnmsg  # type: ignore[attr-defined]

    def show(message: Any) -> None:
        frame = _meant(sys._getframe(1), message.lineno) if message.filename.startswith(OURS) else None
        if frame is None:
            shown(message)
            return
        space = frame.f_globals
        warnings.warn_explicit(
            message.message,
            message.category,
            frame.f_code.co_filename,
            frame.f_lineno,
            space.get("__name__", "<unknown>"),
            space.setdefault("__warningregistry__", {}),
            space,
            message.source,
        )

    warnings.filters.insert(0, _OURS)  # type: ignore[attr-defined]
    warnings._showwarnmsg = show  # type: ignore[attr-defined]

    def undo() -> None:
        with suppress(ValueError):  # the script has set filters of its own
            warnings.filters.remove(_OURS)  # type: ignore[attr-defined]
        if warnings._showwarnmsg is show:  # type: ignore[attr-defined]
            warnings._showwarnmsg = shown  # type: ignore[attr-defined]

    return undo


def _meant(frame: FrameType | None, line: int) -> FrameType | None:
    """The frame that a warning is about, which points at a line of ours: as far up, without those that we make."""
    frames = list(_up(frame))
    ours = [each.f_code.co_filename.startswith(OURS) for each in frames]
    levels = (n for n, each in enumerate(frames) if ours[n] and each.f_lineno == line)
    without = iter([each for each, is_ours in zip(frames, ours, strict=True) if not is_ours])
    kept = []
    for each in without:
        if handed_over(each.f_code):
            next(without, None)  # a function of torch's that was called twice because of us
        else:
            kept.append(each)
    return next(iter(kept[next(levels, 0) :]), None)


def _up(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
