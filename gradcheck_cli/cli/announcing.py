"""Alarms of a run on the terminal as they are raised: the report comes at the end, which may be hours away."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradcheck_cli.records.session import RaisedEntry

MOST = 10
"""Alarms that are told while a script runs."""
_CLEAR = "\r\x1b[K"  # what a progress bar has left of its line; it draws itself anew below


def announcing(*, quiet: bool) -> Callable[[RaisedEntry], None] | None:
    """What tells an alarm; None where stderr is no person's."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return None
    told = 0

    def announce(entry: RaisedEntry) -> None:
        nonlocal told
        told += 1
        if told <= MOST:
            _write(f"{_CLEAR}gradcheck: {in_a_line(entry)}\n")

    return announce


def in_a_line(entry: RaisedEntry) -> str:
    """`step 133: the loss is nan · train.py:41 · row 59; Ctrl-C ends the script with a report`."""
    from gradcheck_cli.reports.glyphs import shown

    source, rows = entry.source, entry.samples
    place = f" · {source.file}:{source.line}" if source else ""
    place += f" · {'row' if len(rows) == 1 else 'rows'} {', '.join(map(str, rows))}" if rows else ""
    unicode = (sys.stderr.encoding or "").lower().startswith("utf")
    told = f"step {entry.raised.step}: {entry.raised.message}{place}; Ctrl-C ends the script with a report"
    return shown(told, unicode)


def _write(text: str) -> None:
    with suppress(OSError, ValueError):  # a terminal that is gone
        sys.stderr.write(text)
        sys.stderr.flush()
