"""Run the checks of a plan in processes, some at a time, and end those that hang."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import connection
from typing import Any

from gradcheck_cli.errors import UserCodeError
from gradcheck_cli.records.report import Report, failed_report
from gradcheck_cli.records.size import size_in_words
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.suite.memory import resident
from gradcheck_cli.suite.worker import work

_PRELOADED = ["torch", "gradcheck_cli.target.load", "gradcheck_cli.probe", "gradcheck_cli.pipeline", "numpy.random"]
_LOOK = 0.05
"""Seconds between two looks at how much memory the checks use."""
_TAIL = 2000
"""Characters of a check's last output that are kept."""


def run_plan(
    plan: Sequence[PlannedCheck], workers: int, on_start: Callable[[int], None] = lambda place: None
) -> Generator[tuple[int, Report], None, None]:
    """Yield (place in the plan, report) of every check as it finishes; leaving early ends those that still run.

    What a check expects, and what is known of it, changes nothing here.

    Args:
        plan: What to check.
        workers: How many run at a time, at most; the threads of torch are divided between them.
        on_start: Is told the place of every check that is started.
    """
    context = _context()
    workers = max(1, min(workers, len(plan)))
    threads = max(1, (os.cpu_count() or 1) // workers)
    waiting = deque(enumerate(plan))
    running: list[_Running] = []
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                on_start(waiting[0][0])
                running.append(_started(context, *waiting.popleft(), threads))
            _wait(running)
            for one in [r for r in running if r.over()]:
                running.remove(one)
                yield one.place, one.report()
    finally:
        for one in running:
            one.end()


@dataclass(kw_only=True)
class _Running:
    """A check that was started."""

    place: int
    planned: PlannedCheck
    process: Any
    answer: Any
    folder: str
    reader: threading.Thread
    tail: bytearray
    deadline: float
    gluttonous: bool = False

    def over(self) -> bool:
        """Whether it has answered, died, run out of time or used more memory than it may."""
        if bool(self.answer.poll()) or not self.process.is_alive() or time.monotonic() >= self.deadline:
            return True
        limit = self.planned.max_memory
        self.gluttonous = limit is not None and resident(self.process.pid) > limit
        return self.gluttonous

    def report(self) -> Report:
        """Its report, or that of a check that gave none; the process and all that it started are ended."""
        report: Report | None = None
        if self.answer.poll():
            with suppress(Exception):  # it died while it answered, or the user's code wrote into the pipe
                report = self.answer.recv()
        late = report is None and time.monotonic() >= self.deadline
        if not (late or self.gluttonous):
            self.process.join(timeout=1)
        status = self.process.exitcode
        self.end()
        if report is None:
            return failed_report(self.planned.name, UserCodeError(self._why(late, status)))
        return replace(report, name=self.planned.name)

    def end(self) -> None:
        """End it with all that it started, and remove what it left."""
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.reader.join(timeout=1)
        self.answer.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _why(self, late: bool, status: int | None) -> str:
        if self.gluttonous:
            why = f"used more than {size_in_words(self.planned.max_memory or 0)} of memory"
        elif late:
            why = f"timed out after {self.planned.timeout:g} s"
        elif status is not None and status < 0:
            why = f"its process was ended by {signal.Signals(-status).name}"
        else:
            why = f"its process ended with status {status} before the check was made"
        last = bytes(self.tail).decode("utf-8", "replace").strip()
        return f"{why}; its last output:\n{last}" if last else why


def _started(context: Any, place: int, planned: PlannedCheck, threads: int) -> _Running:
    answer, answering = context.Pipe(duplex=False)
    heard, output = context.Pipe(duplex=False)
    folder = tempfile.mkdtemp(prefix="gradcheck-")
    process = context.Process(target=work, args=(planned, answering, output, threads, folder), daemon=False)
    process.start()
    answering.close()
    output.close()
    tail = bytearray()
    reader = threading.Thread(target=_listen, args=(heard, tail), daemon=True)
    reader.start()
    deadline = time.monotonic() + planned.timeout if planned.timeout else float("inf")
    return _Running(
        place=place,
        planned=planned,
        process=process,
        answer=answer,
        folder=folder,
        reader=reader,
        tail=tail,
        deadline=deadline,
    )


def _listen(heard: Any, tail: bytearray) -> None:
    """Read all that a check writes, so that it never waits for us, and keep the end of it."""
    with suppress(OSError):
        while chunk := os.read(heard.fileno(), 1 << 16):
            tail.extend(chunk)
            del tail[:-_TAIL]
    heard.close()


def _wait(running: Sequence[_Running]) -> None:
    nearest = min((one.deadline for one in running), default=float("inf")) - time.monotonic()
    if any(one.planned.max_memory for one in running):
        nearest = min(nearest, _LOOK)
    things = [thing for one in running for thing in (one.answer, one.process.sentinel)]
    connection.wait(things, timeout=None if nearest == float("inf") else max(nearest, 0.0))


def _context() -> Any:
    """A server that has torch loaded and forks each check from itself; new processes where there is no fork."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context
