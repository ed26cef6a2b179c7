"""How far a suite is, on stderr: a live display for a person, a line for each finished check in a log."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from gradcheck_cli.cli.failing import say
from gradcheck_cli.words import listing

if TYPE_CHECKING:
    from rich.text import Text

    from gradcheck_cli.records.report import Report


class SuiteProgress:
    """What is known while a suite runs; rich asks it for its line whenever it draws.

    Args:
        names: Those of all checks, in the order of the plan.
        lines: Whether to write a line for each finished check.
        redact: Whether values of the data and folders are left out of it.
    """

    def __init__(self, names: Sequence[str], *, lines: bool, redact: bool = False) -> None:
        self._names = names
        self._lines, self._redact = lines, redact
        self._running: set[int] = set()
        self._verdicts: Counter[str] = Counter()
        self._made = 0
        self._started = time.monotonic()

    def start(self, place: int) -> None:
        """A check was started."""
        self._running.add(place)

    def finish(self, place: int, report: Report) -> None:
        """A check is finished; one that was not started comes from a journal."""
        from gradcheck_cli.reports.verdicts import seconds_of, verdict, worst_in_words

        self._verdicts[verdict(report).value] += 1
        self._made += place in self._running
        self._running.discard(place)
        if self._lines:
            report = replace(report, name=self._names[place])
            if self._redact:
                from gradcheck_cli.records.redacting import redacted

                report = redacted(report)
            done = f"[{self._verdicts.total()}/{len(self._names)}]"
            took = "" if (seconds := seconds_of(report)) is None else f" ({seconds:.1f} s)"
            words = f": {worst}" if (worst := worst_in_words(report)) else ""
            say(f"{done} {verdict(report).value} {report.name}{words}{took}")

    def line(self) -> str:
        """`12 of 30 done, 2 ill, 1 failed · running a.py, b.py · about 40 s left`."""
        done = self._verdicts.total()
        kinds = [f"{self._verdicts[kind]} {kind}" for kind in ("ill", "unmet", "failed") if self._verdicts[kind]]
        parts = [", ".join([f"{done} of {len(self._names)} done", *kinds])]
        if self._running:
            parts.append(f"running {listing([self._names[place] for place in sorted(self._running)], 2)}")
        if self._made:
            left = (time.monotonic() - self._started) / self._made * (len(self._names) - done)
            parts.append(f"about {_rough(left)} left")
        return " · ".join(parts)

    def __rich__(self) -> Text:
        from rich.text import Text

        return Text(self.line(), overflow="ellipsis", no_wrap=True)


@contextmanager
def suite_progress(names: Sequence[str], *, quiet: bool, color: bool, redact: bool = False) -> Iterator[SuiteProgress]:
    """Show how far a suite is while the block runs; nothing at all where `quiet`."""
    live = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    progress = SuiteProgress(names, lines=not quiet and not live, redact=redact)
    with _status(progress, color) if live else nullcontext():
        yield progress


def _status(progress: SuiteProgress, color: bool) -> AbstractContextManager[object]:
    from rich.console import Console

    return Console(stderr=True, no_color=not color).status(progress, refresh_per_second=4)


def _rough(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
