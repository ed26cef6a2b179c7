"""What the boot starts in every process of a script that imports torch: the watcher, and what explains a step to it."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.watch.imports import pythons_own

if TYPE_CHECKING:
    from gradcheck_cli.records.enquiry import AtChance
    from gradcheck_cli.records.report import Report
    from gradcheck_cli.records.spec import Step


def attach(folder: str) -> None:
    """Watch this process, and tell the session in `folder` of it."""
    with pythons_own(), _uncollected():
        from gradcheck_cli.watch.session import Session, read_options
        from gradcheck_cli.watch.watcher import Watcher

    options = read_options(folder)
    Watcher(options, Session(folder), _Explaining(options), _chance).install()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Inside, Python does not look for garbage: importing makes none, and torch has left much to look through."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class _Explaining:
    """Explains a step as `gradcheck check` does. All of that is imported with the first step that is explained."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options

    @pythons_own()
    def __call__(self, step: Step, *, trials: bool) -> Report:
        from gradcheck_cli.pipeline import examine
        from gradcheck_cli.records.spec import CheckSpec

        asked = self._options
        spec = CheckSpec(
            model=step.target.name,
            seed=step.seed,
            autocast=str(step.autocast).removeprefix("torch.") if step.autocast else None,
            select=asked.select,
            ignore=asked.ignore,
            fail_on=asked.fail_on,
            waivers=asked.waivers,
            thresholds=asked.thresholds,
            try_budget=asked.try_budget if trials else 0,
        )
        return examine(step.target, spec, lambda *stage: None, time.perf_counter())


@pythons_own()
def _chance(step: Step) -> AtChance | None:
    """A step held against chance."""
    from gradcheck_cli.probe import at_chance

    return at_chance(step)
