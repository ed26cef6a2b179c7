"""What a person at a terminal sees of a run while it runs; the report comes at its end, which may be hours away.

The lines of the terminal are the script's: it may draw bars on them in any way, and nobody can see what it has drawn
or will draw. So what changes all the time stands in the terminal's title, which no output of the script touches, and
only an alarm is a line, below what the script has written by then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gradcheck_cli.reports.glyphs import shown
from gradcheck_cli.words import count_of

if TYPE_CHECKING:
    from gradcheck_cli.records.session import RaisedEntry
    from gradcheck_cli.records.timeline import Vital
    from gradcheck_cli.watch.sessionreader import News

MOST = 10
"""Alarms that are told while a script runs."""
_TITLED = tuple("xterm screen tmux rxvt alacritty foot kitty wezterm konsole vte ghostty contour st-".split())
"""What TERM begins with on terminals that have a title; others may show its escape codes as text."""
_SAVE, _RESTORE = "\x1b[22;2t", "\x1b[23;2t"
"""xterm's stack of titles; a terminal without one ignores them."""
_LOSSES, _COLUMNS = 400, 12
"""Values that are kept of the loss, and columns that it is drawn in."""


class Announcing:
    """Tells what is new, as far as anybody is there to see it.

    Args:
        name: What is run.
        titled: Whether the terminal has a title.
        redact: Whether values of the data and folders are left out.
    """

    def __init__(self, name: str, *, titled: bool, redact: bool = False) -> None:
        self._name, self._titled, self._redact = name, titled, redact
        self._unicode = (sys.stderr.encoding or "").lower().startswith("utf")
        self._told = 0
        self._losses: list[tuple[int, float]] = []

    def __call__(self, news: News) -> None:
        """Write a line for every alarm, and the last step into the title."""
        for entry in news.raised:
            self._told += 1
            if self._told <= MOST:
                _write(f"{_fresh_line()}gradcheck: {self._alarm(entry)}\n")
        if self._titled and (vital := news.latest()) is not None and _is_in_front():
            self._keep(vital)
            _write(f"\x1b]2;{self._title(vital)}\x1b\\")

    def _alarm(self, entry: RaisedEntry) -> str:
        if self._redact:
            from gradcheck_cli.records.redacting import redacted

            entry = redacted(entry)
        return in_a_line(entry, self._unicode)

    def _keep(self, vital: Vital) -> None:
        if vital.loss is not None:
            self._losses.append((vital.step, vital.loss))
        if len(self._losses) > _LOSSES:
            del self._losses[1::2]

    def _title(self, vital: Vital) -> str:
        """`step 1200 · loss 0.031 █▅▃▂▁ · |grad| 1.2 · 1 alarm · train.py`, the first things first: few is seen."""
        loss = f"loss {vital.loss:.3g} {self._curve(vital.step)}".rstrip() if vital.loss is not None else ""
        norm = f"|grad| {vital.grad_norm:.3g}" if vital.grad_norm is not None else ""
        alarms = count_of(self._told, "alarm") if self._told else ""
        parts = (f"step {vital.step}", loss, norm, alarms, self._name)
        return shown(" · ".join(filter(None, parts)), self._unicode)

    def _curve(self, steps: int) -> str:
        from gradcheck_cli.records.timeline import Point
        from gradcheck_cli.reports.curves import axis_of, curve

        points = [Point(step, loss, loss, loss) for step, loss in self._losses]
        return curve(points, axis_of(steps, _COLUMNS), self._unicode).line.replace(" ", "")


@contextmanager
def announcing(name: str, *, quiet: bool, redact: bool = False) -> Iterator[Callable[[News], None] | None]:
    """What tells the news of a run of `name` while the block runs; None where stderr is no person's.

    With `redact`, without values of the data and folders.
    """
    term = os.environ.get("TERM", "")
    if quiet or not sys.stderr.isatty() or term == "dumb":
        yield None
        return
    titled = term.startswith(_TITLED)
    if titled:
        _write(_SAVE)
    try:
        yield Announcing(name, titled=titled, redact=redact)
    finally:
        if titled:
            _write(_RESTORE)


def in_a_line(entry: RaisedEntry, unicode: bool = True) -> str:
    """`step 133: the loss is nan · train.py:41 · row 59; Ctrl-C ends the script with a report`."""
    source, rows = entry.source, entry.samples
    place = f" · {source.file}:{source.line}" if source else ""
    place += f" · {'row' if len(rows) == 1 else 'rows'} {', '.join(map(str, rows))}" if rows else ""
    told = f"step {entry.raised.step}: {entry.raised.message}{place}; Ctrl-C ends the script with a report"
    return shown(told, unicode)


def _fresh_line() -> str:
    """What brings the cursor to the start of a line that nothing stands in, wherever it is.

    From the start of a line, blanks up to its last column stay in it; from anywhere else they reach into the next one.
    """
    with suppress(OSError, ValueError):
        return " " * (os.get_terminal_size(sys.stderr.fileno()).columns - 1) + "\r"
    return "\n"


def _is_in_front() -> bool:
    """Whether the terminal is ours: what runs in the background leaves it alone."""
    try:
        return os.tcgetpgrp(sys.stderr.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


def _write(text: str) -> None:
    with suppress(OSError, ValueError):  # a terminal that is gone
        sys.stderr.write(text)
        sys.stderr.flush()
