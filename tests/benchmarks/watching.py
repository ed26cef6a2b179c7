"""The memory that `gradcheck run` takes, and where its time goes; `run_cost` tells what it costs.

Run `python -m tests.benchmarks.watching [--only NAME]`: the peak RSS of scripts that hold much or whose graphs linger,
alone and watched, each in a process of its own. Large blocks are mapped one by one there, so that what is measured is
what is held: where glibc puts them on its heap instead, the same script alone takes 451 MB one time and 541 MB another.
With `--profile NAME`: what of the watcher's a model's steps spend their time in.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.loops import MODELS, script

MEMORY = ("auxiliary", "micro-batches", "wide micro-batches")
WARM, PROFILED, MEASURED = 300, 300, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--only", choices=MEMORY, help="measure one script")
    parser.add_argument("--profile", choices=MODELS, help="tell where the watcher's time goes")
    parser.add_argument("--child", nargs=2, metavar=("SCRIPT", "METHOD"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(_peak(*asked.child)))
    elif asked.profile:
        _profiled(asked.profile)
    else:
        Console().print(_memory([name for name in MEMORY if asked.only in (None, name)]))


def _memory(names: list[str]) -> Table:
    table = Table("script", "alone MB", "watched MB", "ratio", title="Peak RSS")
    for name in names:
        alone, watched = peaks(name)
        table.add_row(name, f"{alone:.0f}", f"{watched:.0f}", f"{watched / alone:.3f}")
    return table


def peaks(name: str) -> tuple[float, float]:
    """The peak RSS of a script alone and watched, in MB; each in a process of its own."""
    alone, watched = (_child(name, method) for method in ("alone", "watched"))
    return alone, watched


def _child(name: str, method: str) -> float:
    command = (sys.executable, "-m", "tests.benchmarks.watching", "--child", name, method)
    mapped = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=mapped)
    return float(json.loads(done.stdout.splitlines()[-1]))


def _peak(name: str, method: str) -> float:
    step = script(name)
    if method == "watched":
        started_watcher().install()
    for _ in range(MEASURED):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def started_watcher() -> Any:
    """A watcher as a run has it, with a session of its own; step 1 is not diagnosed."""
    from gradcheck_cli.records.run import RunOptions
    from gradcheck_cli.watch.session import Session
    from gradcheck_cli.watch.watcher import Watcher
    from gradcheck_cli.worker.watched import _chance, _Explaining

    options = RunOptions(command=("train.py",), first=False)
    return Watcher(options, Session(tempfile.mkdtemp()), _Explaining(options), _chance)


def under(watcher: Any, work: Callable[[], Any]) -> None:
    """Do some work under a watcher, which can be used again: its clock stands still meanwhile."""
    left: float | None = vars(watcher).get("left")
    if left is not None and watcher._cost._began:
        watcher._cost._began += time.perf_counter() - left
    watcher.install()
    try:
        work()
    finally:
        watcher.remove()
        watcher._tape.enabled = True  # it is installed again for the next block
        watcher.left = time.perf_counter()


def _profiled(name: str) -> None:
    step, watcher = script(name), started_watcher()
    profile = cProfile.Profile()

    def work() -> None:
        for _ in range(WARM):
            step()
        profile.runcall(lambda: [step() for _ in range(PROFILED)])

    under(watcher, work)
    pstats.Stats(profile).sort_stats("tottime").print_stats("gradcheck_cli|built-in|torch/_foreach", 45)


if __name__ == "__main__":
    main()
