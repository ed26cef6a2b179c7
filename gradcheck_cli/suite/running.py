"""A check that was started: what it says, what it prints, and what became of it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from secrets import token_hex
from signal import Signals
from typing import Any

from gradcheck_cli import errors
from gradcheck_cli.errors import GradcheckError, ReportError, UserCodeError
from gradcheck_cli.records.codec import encode
from gradcheck_cli.records.documents import report_from_dict
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.size import size_in_words
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.suite.memory import uses_more
from gradcheck_cli.target.code.scripts import as_a_script
from gradcheck_cli.worker.launch import Began
from gradcheck_cli.worker.messages import CHANNEL_LOST, Mail, packed
from gradcheck_cli.worker.untried import unfinished

_TIMED_OUT = "timed out after"
_TAIL = 2000
"""Characters of a check's last output that are kept."""
_LOOK = 0.05
"""Seconds between two looks at how much memory a check uses."""
_ARRIVAL = 60.0
"""Seconds that a check has to import torch, which its own time does not count."""
_GOODBYE = 2.0
"""Seconds that a check has to end by itself once it has answered."""
_QUIET, _QUIET_PASSES = 10.0, 20
"""Seconds, and passes through the model, after which a trial must have said something: it does so before each step."""


class Trace(Exception):
    """The traceback of another process, as the cause of an error that it told."""


class Running:
    """A check that was started.

    Args:
        place: Which one of the plan.
        planned: What to check.
        began: Our ends of what leads to its process.
        threads: How many torch may use; None for as many as it likes.
        on_stage: Is told what it does, as (stage, done, of).
        on_output: Is given what it prints, if we hear it; None keeps its end, for the message if it fails.
    """

    def __init__(
        self,
        place: int,
        planned: PlannedCheck,
        began: Began,
        threads: int | None,
        on_stage: Callable[..., None],
        on_output: Callable[[bytes], None] | None,
    ) -> None:
        self.place, self.planned, self.channel, self.output = place, planned, began.channel, began.output
        self.pid: int | None = None
        self.why = ""
        self.asked_to_end = False
        self.rerun = ""
        self._on_stage, self._on_output = on_stage, on_output
        self._limit = planned.timeout or math.inf
        self._deadline, self._heard, self._next_look = time.monotonic() + self._limit + _ARRIVAL, math.inf, 0.0
        self._stage = ""
        self._diagnosed: Report | None = None
        self._answer: Report | GradcheckError | None = None
        self._said_all = self._interrupted = False
        self._tail = bytearray()
        token = token_hex(16)
        self._mail = Mail(token)
        asked = "run" if isinstance(planned.spec, RunOptions) else "spec"
        request = {"token": token, asked: encode(planned.spec), "threads": threads}
        self._unsent = packed(token, request)

    def descriptors(self) -> list[int]:
        """What to wait for."""
        return [fd for fd in (None if self._said_all else self.channel.fileno(), self.output) if fd is not None]

    def wants_to_write(self) -> bool:
        """Whether a part of the request has not been taken yet."""
        return bool(self._unsent)

    def patience(self) -> float:
        """Seconds until it must be looked at, whether or not it says something."""
        looks = self._next_look if self.planned.max_memory and self.pid else math.inf
        return max(0.0, min(self._deadline, self._quiet_until(), looks) - time.monotonic())

    def hear(self) -> None:
        """Take what it says and prints."""
        self._send()
        with suppress(BlockingIOError):
            self._receive()
        with suppress(BlockingIOError):
            self._keep()

    def hear_the_rest(self) -> None:
        """Take what it had said and printed when it ended."""
        with suppress(BlockingIOError):
            while not self._said_all:
                self._receive()
        with suppress(BlockingIOError):
            while self.output is not None:
                self._keep()

    def answered(self) -> bool:
        """Whether it has said what came of it."""
        return self._answer is not None and not self._mail.noise

    def exceeds(self) -> bool:
        """Whether it must be ended: it had its time, uses too much memory, or a trial comes to nothing."""
        now = time.monotonic()
        if self._answer is not None:
            return now >= self._deadline  # it has said all, and had time to end by itself
        if now >= self._deadline:
            self.why = "interrupted" if self._interrupted else f"{_TIMED_OUT} {self.planned.timeout:g} s"
        elif now >= self._quiet_until():
            self.why = f"nothing came of it for {now - self._heard:.0f} s"
        elif self.planned.max_memory and self.pid and now >= self._next_look and self._answer is None:
            self._next_look = now + _LOOK
            if uses_more(self.pid, self.planned.max_memory):
                self.why = f"used more than {size_in_words(self.planned.max_memory)} of memory"
        return bool(self.why)

    def interrupt(self, seconds: float) -> bool:
        """Give it so long to come to an end with what it knows; whether it knows anything."""
        if self._diagnosed is None or self._interrupted:
            return False
        self._interrupted = True
        self._deadline = time.monotonic() + seconds
        return True

    def outcome(self, ended: dict[str, Any]) -> Report | GradcheckError:
        """What came of it, once its process has ended as the keeper says."""
        outcome = self._answer
        if outcome is None or not self.answered():
            why = self._in_words(ended)
            outcome = (
                unfinished(self._diagnosed, self._stage, why)
                if self._diagnosed
                else UserCodeError(self._with_last_output(why), hint=self._advice(why))
            )
        elif isinstance(outcome, Report) and outcome.error:  # the script of a run, which has output of its own
            outcome = replace(outcome, error=self._with_last_output(outcome.error))
        notes = [self.rerun] if self.rerun else []
        if alive := ended.get("alive"):
            notes.append(f"it left processes that could not be ended: {', '.join(map(str, alive))}")
        return replace(outcome, notes=(*outcome.notes, *notes)) if notes and isinstance(outcome, Report) else outcome

    def close(self) -> None:
        """Let go of its descriptors."""
        self.channel.close()
        if self.output is not None:
            os.close(self.output)
            self.output = None

    def _send(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[self.channel.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:  # it has ended
            self._unsent = b""

    def _receive(self) -> None:
        if self._said_all:
            return
        try:
            chunk = self.channel.recv(1 << 18)
        except ConnectionResetError:
            chunk = b""
        self._said_all = not chunk
        for message in self._mail.take(chunk):
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        now = time.monotonic()
        self._heard = now
        try:
            if "ready" in message:
                self._deadline = now + self._limit
            if "stage" in message:
                self._stage = message["stage"][0]
                self._on_stage(*message["stage"])
            if "diagnosed" in message:
                self._diagnosed = report_from_dict(message["diagnosed"])
            if "report" in message:
                self._answer = report_from_dict(message["report"])
            if "error" in message:
                self._answer = _error(message)
            if self._answer is not None:
                self._deadline = now + _GOODBYE
        except (ReportError, TypeError, KeyError, IndexError):
            self._mail.noise = True

    def _keep(self) -> None:
        if self.output is None:
            return
        chunk = os.read(self.output, 1 << 16)
        if not chunk:
            os.close(self.output)
            self.output = None
            return
        if self._on_output is not None:
            self._on_output(chunk)
            return
        self._tail += chunk
        del self._tail[:-_TAIL]

    def _quiet_until(self) -> float:
        """When a trial has had time enough without a word."""
        if self._diagnosed is None:
            return math.inf
        seconds = sum(self._diagnosed.seconds.get(part, 0.0) for part in ("forward", "backward"))
        return self._heard + _QUIET + _QUIET_PASSES * seconds

    def _advice(self, why: str) -> str:
        spec = self.planned.spec
        if not isinstance(spec, CheckSpec) or not why.startswith(_TIMED_OUT):
            return ""
        return as_a_script(spec.model) or "--timeout gives it more seconds."

    def _with_last_output(self, why: str) -> str:
        last = bytes(self._tail).decode("utf-8", "replace").strip()
        return f"{why}; its last output:\n{last}" if last else why

    def _in_words(self, ended: dict[str, Any]) -> str:
        status = ended.get("status")
        if self.why:
            return self.why
        if fault := ended.get("fault"):
            return f"its process could not be started: {fault}"
        if self._mail.noise:
            return "its code wrote into the descriptor of its answer, which is not its own"
        if status == CHANNEL_LOST:
            return "its code closed the descriptor of its answer"
        if status is not None and status < 0:
            return f"its process was ended by {signal_name(-status)}"
        return f"its process ended with status {status} before the check was made"


def _error(message: dict[str, Any]) -> GradcheckError:
    """The error that a process told, with its traceback as the cause."""
    told = message["error"]
    kind = getattr(errors, told["kind"], GradcheckError)
    error: GradcheckError = kind(told["message"], hint=told["hint"], frames=tuple(told["frames"]))
    error.__cause__ = Trace(message["trace"])
    return error


def signal_name(number: int) -> str:
    """`SIGKILL`, for a number."""
    try:
        return Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
