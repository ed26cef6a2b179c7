"""Run the checks of a plan, some at a time, each in a process of its own; read `_Crew.results` first."""

from __future__ import annotations

import math
import os
import select
import shutil
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from signal import SIGINT
from typing import Any

from gradcheck_cli.errors import GradcheckError
from gradcheck_cli.records.report import Report, failed_report
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.signals import number_of
from gradcheck_cli.suite.running import Running, signal_name
from gradcheck_cli.target import precheck
from gradcheck_cli.worker import processes
from gradcheck_cli.worker.launch import Began, Keeper, begun, temporary

_LONGEST_WAIT = 3600.0
"""Seconds; a longer wait does not fit into what the system takes."""
_GRACE = 2.0
"""Seconds that a check has to come to an end after Ctrl-C."""


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
    crew = _Crew(plan, workers, on_start=on_start)
    with closing(crew.results()) as results:
        for place, outcome in results:
            name = plan[place].name
            report = failed_report(name, outcome) if isinstance(outcome, GradcheckError) else outcome
            yield place, replace(report, name=name)


def run_one(
    planned: PlannedCheck,
    on_stage: Callable[..., None] = lambda *stage: None,
    on_output: Callable[[bytes], None] = lambda output: None,
) -> Report:
    """One check, whose output goes to stderr as it comes; Ctrl-C while remedies are tried keeps the diagnosis.

    Args:
        planned: The check; its name is that of the report only where it fails.
        on_stage: Is told what is done, as (stage, done, of).
        on_output: Is given the output where stderr is a terminal, on which a line may stand that it must not break.

    Raises:
        GradcheckError: It could not be made.
    """
    if isinstance(planned.spec, CheckSpec):
        precheck(planned.spec)  # a slip is told before torch is there
    crew = _Crew([planned], 1, on_stage=on_stage, on_output=on_output)
    with closing(crew.results()) as results:
        ((_, outcome),) = results
    if isinstance(outcome, GradcheckError):
        raise outcome
    return outcome


class _Crew:
    """The checks of a plan, those that run and those that wait."""

    def __init__(
        self,
        plan: Sequence[PlannedCheck],
        workers: int,
        *,
        on_start: Callable[[int], None] = lambda place: None,
        on_stage: Callable[..., None] = lambda *stage: None,
        on_output: Callable[[bytes], None] | None = None,
    ) -> None:
        self._waiting = deque(enumerate(plan))
        self._again: deque[tuple[int, PlannedCheck, str]] = deque()
        self._workers = max(1, min(workers, len(plan)))
        self._alone = on_output is not None
        self._threads = None if self._alone else max(1, (os.cpu_count() or 1) // self._workers)
        self._on_start, self._on_stage, self._on_output = on_start, on_stage, on_output
        self._running: dict[int, Running] = {}
        self._keeper: Keeper | None = None
        self._others = processes.children()
        self._finished: list[tuple[int, Report | GradcheckError]] = []

    def results(self) -> Generator[tuple[int, Report | GradcheckError], None, None]:
        """Every check with what came of it; nothing that was started is left when this ends, however it ends."""
        try:
            while self._waiting or self._again or self._running:
                self._start_some()
                if self._running:
                    self._work()
                yield from self._finished
                self._finished.clear()
        finally:
            self._leave()

    def _start_some(self) -> None:
        """Start what may run now; those that were running when the keeper was ended run again, each by itself."""
        while self._waiting and len(self._running) < self._workers:
            if not self._started(*self._waiting[0]):
                break
            self._waiting.popleft()
        if self._again and not (self._running or self._waiting):
            place, planned, why = self._again.popleft()
            if self._started(place, planned) and place in self._running:
                self._running[place].rerun = why

    def _started(self, place: int, planned: PlannedCheck) -> bool:
        """Whether it was started, or has failed to; where files run out, those that run may give some back."""
        try:
            self._running[place] = self._start(place, planned)
        except OSError as error:
            if self._running:
                return False
            why = f"its process could not be started: {error.strerror or error}"
            self._finished.append((place, GradcheckError(why, hint="See `ulimit -a`, and run fewer --workers.")))
        else:
            self._on_start(place)
        return True

    def _start(self, place: int, planned: PlannedCheck) -> Running:
        one = begun() if self._alone else None
        if self._keeper is None:
            self._keeper = one.keeper if one else Keeper(many=not self._alone)
            processes.adopt_orphans()
        began = one.began if one else Began(self._keeper, place, to_stderr=self._alone and not os.isatty(2))
        return Running(place, planned, began, self._threads, self._on_stage, self._on_output)

    def _work(self) -> None:
        """Wait for something to happen, and see to it."""
        keeper = self._keeper
        assert keeper is not None, "whatever runs was started by one"
        try:
            ready = self._wait(keeper)
            for one in self._running.values():
                if ready.intersection(one.descriptors()):
                    one.hear()
                if not one.asked_to_end and one.exceeds():
                    one.asked_to_end = True
                    keeper.end(one.place)
            if keeper.fileno() in ready:
                self._listen(keeper)
        except KeyboardInterrupt as pressed:
            self._interrupted(pressed)

    def _wait(self, keeper: Keeper) -> set[int]:
        """The descriptors that have something to say."""
        poll = select.poll()
        poll.register(keeper.fileno(), select.POLLIN)
        for one in self._running.values():
            for descriptor in one.descriptors():
                poll.register(descriptor, select.POLLIN)
            if one.wants_to_write():
                poll.register(one.channel.fileno(), select.POLLIN | select.POLLOUT)
        patience = min((one.patience() for one in self._running.values() if not one.asked_to_end), default=math.inf)
        return {descriptor for descriptor, _ in poll.poll(math.ceil(1e3 * min(patience, _LONGEST_WAIT)))}

    def _listen(self, keeper: Keeper) -> None:
        """Hear what the keeper says."""
        replies = keeper.replies()
        if replies is None:
            self._keeper_ended()
            return
        for reply in replies:
            if "started" in reply and reply["started"] in self._running:
                self._running[reply["started"]].pid = reply["pid"]
            if "ended" in reply and (one := self._running.pop(reply["ended"], None)):
                self._finish(one, reply)

    def _finish(self, one: Running, ended: dict[str, Any]) -> None:
        one.hear_the_rest()
        self._finished.append((one.place, one.outcome(ended)))
        one.close()

    def _keeper_ended(self) -> None:
        """Someone ended the keeper, and with it all checks: which of them it was shows when each runs by itself."""
        how = f"the process that starts checks was ended ({self._end_keeper()})"
        culprit = len(self._running) == 1
        for one in self._running.values():
            one.hear_the_rest()
            if culprit:
                one.why = how
            if culprit or one.answered():
                self._finished.append((one.place, one.outcome({})))
            else:
                self._again.append((one.place, one.planned, f"made a second time: {how}"))
            one.close()
        self._running.clear()

    def _end_keeper(self) -> str:
        """End the keeper and all that is left of its checks; how it ended, in a word."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return ""
        status = keeper.close()
        processes.end_children(self._others)
        if status:  # it could not remove them
            shutil.rmtree(temporary(keeper.folder), ignore_errors=True)
        return signal_name(-status) if status < 0 else f"status {status}"

    def _interrupted(self, pressed: KeyboardInterrupt) -> None:
        """Ctrl-C once the diagnosis stands ends the trials; any other signal, and a second Ctrl-C, ends it all."""
        if self._alone and number_of(pressed) == SIGINT and self._keeper is not None:
            for one in self._running.values():
                if one.interrupt(_GRACE):
                    self._keeper.interrupt(one.place)
                    return
        raise pressed

    def _leave(self) -> None:
        for one in self._running.values():
            one.close()
        self._end_keeper()
        processes.adopt_orphans(wanted=False)
