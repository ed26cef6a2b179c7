"""A command that is run and watched: its session, from the folder that is made for it to what came of it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gradcheck_cli.records.report import Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import RaisedEntry
from gradcheck_cli.records.timeline import Timeline
from gradcheck_cli.reports.runreport import run_report
from gradcheck_cli.timeline import assembled
from gradcheck_cli.watch.following import Following
from gradcheck_cli.watch.reading import read
from gradcheck_cli.watch.session import write_options
from gradcheck_cli.worker.script import environment, run_script


def run_watched(command: list[str], options: RunOptions, tell: Callable[[RaisedEntry], None] | None = None) -> Timeline:
    """Run a command in a session of its own, and put together what it left there.

    Args:
        command: A program and its arguments.
        options: What was asked for.
        tell: Told of each alarm soon after it was raised.

    Raises:
        UsageError: It cannot be started.
        Interrupted: Ctrl-C was pressed twice.
    """
    folder = tempfile.mkdtemp(prefix="gradcheck-run-")
    try:
        write_options(folder, options)
        following, started = Following(folder), time.perf_counter()

        def news(tell: Callable[[RaisedEntry], None]) -> None:
            for entry in following.news():
                tell(entry)

        code = run_script(command, environment(folder), partial(news, tell) if tell else None)
        return assembled(read(folder), options, code, time.perf_counter() - started)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_in_suite(options: RunOptions, threads: int | None) -> Report:
    """Run a script as one check of a suite, where 2 is the exit code of each that did not come to a good end.

    Args:
        options: What was asked for; the command is a script with its arguments.
        threads: How many torch may use, unless the user's environment says so; None for as many as it likes.
    """
    os.environ.setdefault("PYTHONUNBUFFERED", "1")  # what it printed last is told also where it is killed
    if threads:
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    run = run_watched([sys.executable, *options.command], options)
    report = run_report(run)
    return replace(report, exit_code=2 if report.error else run.exit_code)
