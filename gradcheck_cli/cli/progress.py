"""The current stage, with a bar where it can be counted, on stderr and only for a person."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stages(*, quiet: bool, color: bool) -> Iterator[Callable[..., None]]:
    """Give a function of (stage, done, of) that shows it; it does nothing where stderr is no terminal, or `quiet`."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda *stage: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), BarColumn(bar_width=16), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True, no_color=not color), transient=True) as progress:
        task = progress.add_task("starting", total=None)

        def show(stage: str, done: int = 0, of: int | None = None) -> None:
            progress.update(task, description=stage, completed=done, total=of)

        yield show
