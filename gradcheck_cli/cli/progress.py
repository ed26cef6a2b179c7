"""The spinner that names the current stage, on stderr and only for a person."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stages(*, quiet: bool, color: bool) -> Iterator[Callable[[str], None]]:
    """Give a function that shows a stage; it does nothing where stderr is no terminal, or `quiet`."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda stage: None
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, no_color=not color)
    with console.status(Text("starting")) as status:
        yield lambda stage: status.update(Text(stage))
