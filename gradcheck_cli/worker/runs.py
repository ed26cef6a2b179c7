"""A command that is run and watched: its session, from the folder that is made for it to what came of it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module

from gradcheck_cli.records.report import Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Process
from gradcheck_cli.records.timeline import Timeline
from gradcheck_cli.watch.session import write_options
from gradcheck_cli.watch.sessionreader import News, SessionReader
from gradcheck_cli.worker.script import environment, run_script

_SAVED_EVERY = 30.0
"""Seconds between two words on what is known so far."""
_IDLE = 0.5
"""Seconds after the start of a script at which it still imports torch: until then we only listen."""
STILL_RUNNING = "the script was still running when this was written"


def run_watched(
    command: list[str],
    options: RunOptions,
    hear: Callable[[News], None] | None = None,
    save: Callable[[Timeline], None] | None = None,
) -> Timeline:
    """Run a command in a session of its own, and put together what it left there.

    Args:
        command: A program and its arguments.
        options: What was asked for.
        hear: Told about once a second of what is new, and of the rest when the command has ended.
        save: Given what is known so far, now and then: whatever ends us as well, that is left.

    Raises:
        UsageError: It cannot be started.
        Interrupted: Ctrl-C was pressed twice.
    """
    folder = tempfile.mkdtemp(prefix="gradcheck-run-")
    try:
        write_options(folder, options)
        reading, started = SessionReader(folder), time.perf_counter()
        saved = started

        def tell() -> None:
            news = reading.news()
            if hear is not None:
                hear(news)

        def meanwhile() -> None:
            nonlocal saved
            if time.perf_counter() - started >= _IDLE:
                import_module("gradcheck_cli.timeline")  # by now, while the script is busy
            tell()
            if save is not None and time.perf_counter() - saved >= _SAVED_EVERY:
                with suppress(Exception):  # the script goes on, and all of it is told again when it has ended
                    save(_so_far(reading, options, time.perf_counter() - started))
                saved = time.perf_counter()

        code = run_script(command, environment(folder), meanwhile)
        tell()
        return _assembled(reading.processes(), options, code, time.perf_counter() - started)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _assembled(
    processes: tuple[Process, ...], options: RunOptions, script_exit: int | None, seconds: float
) -> Timeline:
    """As `timeline.assembled`, which is imported when it is needed: the script starts the sooner."""
    from gradcheck_cli.timeline import assembled

    return assembled(processes, options, script_exit, seconds)


def _so_far(reading: SessionReader, options: RunOptions, seconds: float) -> Timeline:
    timeline = _assembled(reading.processes(over=False), options, None, seconds)
    return replace(timeline, notes=(f"{STILL_RUNNING}, {seconds:.0f} s after its start", *timeline.notes))


def run_in_suite(options: RunOptions, threads: int | None) -> Report:
    """Run a script as one check of a suite, where 2 is the exit code of each that did not come to a good end.

    Args:
        options: What was asked for; the command is a script with its arguments.
        threads: How many torch may use, unless the user's environment says so; None for as many as it likes.
    """
    from gradcheck_cli.reports.runreport import run_report

    os.environ.setdefault("PYTHONUNBUFFERED", "1")  # what it printed last is told also where it is killed
    if threads:
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    run = run_watched([sys.executable, *options.command], options)
    report = run_report(run)
    return replace(report, exit_code=2 if report.error else run.exit_code)
