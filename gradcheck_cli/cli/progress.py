"""The current stage, with a bar where it can be counted, on stderr and only for a person."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


class Stages:
    """Shows the stage that it is called with, and what the user's code prints, which ends the line of the stages.

    Args:
        progress: Draws the line; None for no line.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._within_a_line = False
        self._task = progress.add_task("starting", total=None) if progress else None

    def __call__(self, stage: str, done: int = 0, of: int | None = None) -> None:
        """Show a stage and how far it is."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, description=stage, completed=done, total=of)

    def echo(self, output: bytes) -> None:
        """Write what the user's code has written."""
        if self._progress:
            self._progress.stop()
            self._progress = None
        self._within_a_line = not output.endswith(b"\n") if output else self._within_a_line
        _write(output)

    def end_line(self) -> None:
        """End the line that the user's code has begun, as a prompt does, before ours."""
        if self._within_a_line:
            self.echo(b"\n")


def _write(output: bytes) -> None:
    with suppress(OSError):  # a terminal that is gone
        while output:
            output = output[os.write(2, output) :]


@contextmanager
def stages(*, quiet: bool, color: bool) -> Iterator[Stages]:
    """What shows the stages; no stage where stderr is no terminal, or `quiet`."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        shown = Stages()
        try:
            yield shown
        finally:
            shown.end_line()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), BarColumn(bar_width=16), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True, no_color=not color), transient=True) as progress:
        shown = Stages(progress)
        try:
            yield shown
        finally:
            shown.end_line()
