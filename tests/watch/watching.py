"""A watcher in this process, and what it said."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gradcheck_cli.records.report import Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Process
from gradcheck_cli.records.spec import Step
from gradcheck_cli.watch.session import Session
from gradcheck_cli.watch.sessionreader import read
from gradcheck_cli.watch.watcher import Watcher
from tests.reports.examples import healthy


@dataclass
class Explaining:
    """Explains nothing, and notes what it was asked to explain."""

    steps: list[Step] = field(default_factory=list)
    trials: list[bool] = field(default_factory=list)
    raises: Exception | None = None

    def __call__(self, step: Step, *, trials: bool) -> Report:
        if self.raises is not None:
            raise self.raises
        self.steps.append(step)
        self.trials.append(trials)
        return healthy()


@dataclass
class Watched:
    """A watcher that is installed, or was."""

    folder: Path
    watcher: Watcher
    explain: Explaining

    @property
    def process(self) -> Process:
        """What it said."""
        self.watcher._session.flush()
        (process,) = read(str(self.folder))
        return process


@contextmanager
def watching(folder: Path, explain: Explaining | None = None, **options: object) -> Iterator[Watched]:
    """Inside, a watcher is installed."""
    explain = explain or Explaining()
    asked = RunOptions(command=("train.py",), **options)  # type: ignore[arg-type]
    watcher = Watcher(asked, Session(str(folder)), explain, lambda step: None)
    debug = os.environ.pop("GRADCHECK_DEBUG", None)
    watcher.install()
    try:
        yield Watched(folder, watcher, explain)
    finally:
        watcher.remove()
        atexit.unregister(watcher._ending)
        if debug is not None:
            os.environ["GRADCHECK_DEBUG"] = debug
