"""What a started check says, prints and comes to; the other end of its channel is held by the test."""

from __future__ import annotations

import math
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gradcheck_cli.errors import GradcheckError, TargetError, UserCodeError
from gradcheck_cli.records.codec import decode
from gradcheck_cli.records.documents import report_to_dict
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.suite.memory import can_be_limited
from gradcheck_cli.suite.running import Running, Trace, signal_name
from gradcheck_cli.worker.messages import CHANNEL_LOST, Mail, packed
from tests.reports.examples import healthy, vanishing


@dataclass
class Ends:
    """Our ends, as `Began` has them."""

    channel: socket.socket
    output: int | None


@dataclass
class Check:
    """A check that does what the test says."""

    running: Running
    channel: socket.socket
    printing: int | None
    stages: list[tuple[Any, ...]] = field(default_factory=list)
    token: str = ""

    def asked(self) -> dict[str, Any]:
        """What it is asked for, once the request was sent."""
        self.running.hear()
        text = self.channel.recv(1 << 20)
        self.token = text.split()[0].decode()
        (request,) = Mail(self.token).take(text)
        return request

    def say(self, **message: Any) -> None:
        """Send messages, which are heard at once."""
        self.send(packed(self.token, message))

    def send(self, text: bytes) -> None:
        self.channel.send(text)
        self.running.hear()

    def print(self, text: bytes) -> None:
        assert self.printing is not None
        os.write(self.printing, text)
        self.running.hear()

    def end(self, status: int | None = 0, **more: Any) -> Report | GradcheckError:
        """End, and give what came of it."""
        self.channel.close()
        self.hang_up()
        self.running.hear_the_rest()
        return self.running.outcome({"status": status, **more})

    def hang_up(self) -> None:
        if self.printing is not None:
            os.close(self.printing)
            self.printing = None


SPEC = CheckSpec(model="m.py", inputs=("float32[2,3]",), seed=2**63 - 1)
Starts = Callable[..., Check]


@pytest.fixture
def start() -> Iterator[Starts]:
    made: list[Check] = []

    def call(
        on_output: Callable[[bytes], None] | None = None, threads: int | None = 3, prints: bool = True, **limits: Any
    ) -> Check:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        reading, printing = os.pipe() if prints else (None, None)
        if reading is not None:
            os.set_blocking(reading, False)
        planned, stages = PlannedCheck(name="m", spec=SPEC, **limits), list[tuple[Any, ...]]()
        running = Running(5, planned, Ends(ours, reading), threads, lambda *stage: stages.append(stage), on_output)
        made.append(Check(running, theirs, printing, stages))
        made[-1].asked()
        return made[-1]

    yield call
    for check in made:
        check.channel.close()
        check.hang_up()
        check.running.close()


def test_it_is_asked_for_its_spec_with_a_secret_of_its_own(start: Starts) -> None:
    first, second = start(), start(threads=None)
    assert len(first.token) == 32 and first.token != second.token
    assert not first.running.wants_to_write()


def test_a_request_arrives_whole_also_where_it_does_not_fit_at_once() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    spec = replace(SPEC, model="m" * 3_000_000)
    running = Running(0, PlannedCheck(name="m", spec=spec), Ends(ours, None), 2, lambda *_: None, None)
    running.hear()
    assert running.wants_to_write()
    text = b""
    while running.wants_to_write():
        text += theirs.recv(1 << 20)
        running.hear()
    ours.shutdown(socket.SHUT_WR)
    while chunk := theirs.recv(1 << 20):
        text += chunk
    (request,) = Mail(text.split()[0].decode()).take(text)
    assert decode(CheckSpec, request["spec"]) == spec
    assert request["threads"] == 2
    running.close()
    theirs.close()


def test_a_run_is_asked_for_by_its_options() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    options = RunOptions(command=("train.py", "--lr", "0.1"), steps=3)
    running = Running(0, PlannedCheck(name="m", spec=options), Ends(ours, None), 2, lambda *_: None, None)
    request = Check(running, theirs, None).asked()
    assert decode(RunOptions, request["run"]) == options
    assert (request["threads"], "spec" in request) == (2, False)
    running.close()
    theirs.close()


def test_a_process_that_ended_before_it_was_asked_is_no_matter() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.close()
    running = Running(0, PlannedCheck(name="m", spec=SPEC), Ends(ours, None), None, lambda *_: None, None)
    running.hear()
    assert not running.wants_to_write()
    assert running.descriptors() == []
    assert running.outcome({"status": 3}).message == "its process ended with status 3 before the check was made"
    running.close()


def test_stages_are_passed_on(start: Starts) -> None:
    check = start()
    check.say(stage=["loading", 0, None])
    check.say(stage=["probing", 2, 8])
    assert check.stages == [("loading", 0, None), ("probing", 2, 8)]
    assert not check.running.answered()


@pytest.mark.parametrize("make", [healthy, vanishing])
def test_a_report_comes_out_as_it_was_told(start: Starts, make: Callable[[], Report]) -> None:
    check = start()
    check.say(report=report_to_dict(make(), exact=True))
    assert check.running.answered()
    assert check.end() == make()


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_an_answer_may_come_in_pieces_of_which_the_last_is_heard_after_the_end(start: Starts, size: int) -> None:
    check = start()
    text = packed(check.token, {"report": report_to_dict(healthy(), exact=True)})
    *first, last = (text[begin : begin + size] for begin in range(0, len(text), size))
    for piece in first:
        check.send(piece)
    assert not check.running.answered()
    check.channel.send(last)
    assert check.end() == healthy()


def test_an_error_comes_out_with_its_kind_its_words_and_its_traceback(start: Starts) -> None:
    check = start()
    told = {"kind": "TargetError", "message": "there is no model", "hint": "Name one.", "frames": ["m.py:3", "m.py:9"]}
    check.say(error=told, trace="Traceback ...")
    error = check.end()
    assert type(error) is TargetError
    assert (error.message, error.hint, error.frames) == ("there is no model", "Name one.", ("m.py:3", "m.py:9"))
    assert isinstance(error.__cause__, Trace) and str(error.__cause__) == "Traceback ..."


def test_an_error_of_an_unknown_kind_is_one_all_the_same(start: Starts) -> None:
    check = start()
    check.say(error={"kind": "Newer", "message": "x", "hint": "", "frames": []}, trace="")
    assert type(check.end()) is GradcheckError


# --------------------------------------------------------------------------- bad ends


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (0, "its process ended with status 0 before the check was made"),
        (3, "its process ended with status 3 before the check was made"),
        (-signal.SIGSEGV, "its process was ended by SIGSEGV"),
        (-signal.SIGKILL, "its process was ended by SIGKILL"),
        (-40, "its process was ended by signal 40"),
        (CHANNEL_LOST, "its code closed the descriptor of its answer"),
    ],
)
def test_an_end_without_an_answer_says_how_it_ended(start: Starts, status: int, why: str) -> None:
    error = start().end(status)
    assert type(error) is UserCodeError
    assert error.message == why


def test_one_that_was_never_started_says_why(start: Starts) -> None:
    assert start().end(None, fault="Cannot allocate memory").message == (
        "its process could not be started: Cannot allocate memory"
    )


def test_the_last_words_go_with_it_and_no_more_than_those(start: Starts) -> None:
    check = start()
    check.print(b"a" * 50_000)
    check.print(b"so long \xff\n")
    message = check.end(1).message
    assert message.startswith("its process ended with status 1 before the check was made; its last output:\naaa")
    assert message.endswith("aaso long \N{REPLACEMENT CHARACTER}")
    assert 1900 < len(message.partition("\n")[2]) <= 2000


@pytest.mark.parametrize("error", ["", "the script ended with 1"])
def test_the_last_words_of_a_script_go_with_its_error(start: Starts, error: str) -> None:
    check = start()
    check.print(b"no data\n")
    check.say(report=report_to_dict(replace(vanishing(), error=error), exact=True))
    report = check.end()
    assert report == replace(vanishing(), error=error and f"{error}; its last output:\nno data")


def test_output_that_somebody_hears_is_theirs(start: Starts) -> None:
    heard: list[bytes] = []
    check = start(heard.append)
    check.print(b"one\n")
    check.print(b"two\n")
    assert heard == [b"one\n", b"two\n"]
    assert "output" not in check.end(1).message


@pytest.mark.parametrize(
    "noise",
    [b"print\n", packed("f" * 32, {"report": {}})],
    ids=["text", "another's token"],
)
def test_noise_in_its_channel_is_told_and_no_answer_after_it_is_believed(start: Starts, noise: bytes) -> None:
    check = start()
    check.send(noise)
    check.say(report=report_to_dict(healthy(), exact=True))
    assert not check.running.answered()
    assert check.end().message == "its code wrote into the descriptor of its answer, which is not its own"


@pytest.mark.parametrize(
    "message",
    [
        {"report": {}},
        {"report": 3},
        {"report": {**report_to_dict(healthy(), exact=True), "status": "fine"}},
        {"error": {}},
        {"error": "x", "trace": ""},
        {"stage": []},
        {"diagnosed": []},
    ],
    ids=repr,
)
def test_a_message_that_makes_no_sense_is_noise(start: Starts, message: dict[str, Any]) -> None:
    check = start()
    check.say(**message)
    assert not check.running.answered()
    assert "wrote into the descriptor" in check.end().message


# --------------------------------------------------------------------------- the diagnosis before its trials


def test_a_diagnosis_stands_whatever_ends_the_trials(start: Starts) -> None:
    check = start()
    check.say(diagnosed=report_to_dict(vanishing(), exact=True))
    check.say(stage=["trying: ReLU", 1, 3])
    report = check.end(-signal.SIGKILL)
    assert report.notes[-1] == (
        "the trial of `ReLU` was cut short: its process was ended by SIGKILL; the diagnosis stands without it"
    )
    assert replace(report, notes=vanishing().notes) == vanishing()


def test_the_last_diagnosis_counts_and_an_answer_more_than_any(start: Starts) -> None:
    check = start()
    check.say(diagnosed=report_to_dict(replace(vanishing(), loss=1.0), exact=True))
    check.say(diagnosed=report_to_dict(replace(vanishing(), loss=2.0), exact=True))
    check.say(report=report_to_dict(replace(vanishing(), loss=3.0), exact=True))
    assert check.end().loss == 3.0


def test_ctrl_c_gives_time_to_end_once_and_only_where_something_is_known(start: Starts) -> None:
    check = start()
    assert check.running.interrupt(0.0) is False
    check.say(diagnosed=report_to_dict(vanishing(), exact=True))
    assert check.running.interrupt(0.0) is True
    assert check.running.interrupt(0.0) is False
    assert check.running.exceeds()
    assert "cut short: interrupted" in check.end(-signal.SIGKILL).notes[-1]


@pytest.mark.parametrize("make", [healthy, vanishing])
def test_notes_tell_of_what_it_left_and_that_it_is_the_second_time(start: Starts, make: Callable[[], Report]) -> None:
    check = start()
    check.running.rerun = "made a second time: why"
    check.say(report=report_to_dict(make(), exact=True))
    report = check.end(0, alive=[7, 8])
    assert report.notes == (
        *make().notes,
        "made a second time: why",
        "it left processes that could not be ended: 7, 8",
    )


# --------------------------------------------------------------------------- limits


def test_its_time_starts_when_it_is_ready(start: Starts) -> None:
    check = start(timeout=30.0)
    assert check.running.patience() > 60  # it still has to import torch
    check.say(ready=True)
    assert 20 < check.running.patience() <= 30
    assert not check.running.exceeds()


def test_one_that_had_its_time_is_to_be_ended_and_says_so(start: Starts) -> None:
    check = start(timeout=0.01)
    check.say(ready=True)
    time.sleep(0.02)
    assert check.running.patience() == 0.0
    assert check.running.exceeds()
    ended = check.end(-signal.SIGKILL)
    assert (ended.message, ended.hint) == ("timed out after 0.01 s", "--timeout gives it more seconds.")


def test_one_without_a_limit_is_waited_for(start: Starts) -> None:
    check = start()
    check.say(ready=True)
    assert check.running.patience() == math.inf
    assert not check.running.exceeds()


def test_one_that_has_answered_has_a_moment_to_end_by_itself(start: Starts) -> None:
    check = start(timeout=1000.0)
    check.say(ready=True)
    check.say(report=report_to_dict(healthy(), exact=True))
    assert 1 < check.running.patience() <= 2
    assert not check.running.exceeds()
    assert check.end(-signal.SIGKILL) == healthy()


def test_a_trial_must_say_something_within_the_time_of_some_passes(start: Starts) -> None:
    check = start()
    diagnosed = replace(vanishing(), seconds={"forward": 2.0, "backward": 3.0, "judge": 100.0})
    check.say(ready=True, diagnosed=report_to_dict(diagnosed, exact=True))
    assert 100 < check.running.patience() <= 10 + 20 * 5
    assert not check.running.exceeds()


@pytest.mark.skipif(not can_be_limited(), reason="needs /proc")
@pytest.mark.parametrize(("limit", "told"), [(1_000_000, True), (10**15, False)])
def test_memory_is_looked_at_once_its_process_is_known(start: Starts, limit: int, told: bool) -> None:
    check = start(max_memory=limit)
    assert not check.running.exceeds()
    check.running.pid = os.getpid()
    assert check.running.patience() == 0.0
    assert check.running.exceeds() is told
    if told:
        assert check.end(-signal.SIGKILL).message == "used more than 1 MB of memory"
    else:
        assert 0 < check.running.patience() <= 0.05


# --------------------------------------------------------------------------- descriptors


def test_it_is_waited_for_where_it_can_still_say_something(start: Starts) -> None:
    check = start()
    channel, output = check.running.channel.fileno(), check.running.output
    assert check.running.descriptors() == [channel, output]
    check.hang_up()
    check.running.hear()
    assert check.running.descriptors() == [channel]
    check.channel.close()
    check.running.hear()
    assert check.running.descriptors() == []


def test_without_a_pipe_only_the_channel_is_heard(start: Starts) -> None:
    check = start(prints=False)
    assert check.running.descriptors() == [check.running.channel.fileno()]
    assert check.end(2).message == "its process ended with status 2 before the check was made"


def test_to_close_it_twice_is_no_matter(start: Starts) -> None:
    check = start()
    output = check.running.output
    check.running.close()
    check.running.close()
    assert check.running.output is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(output)


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (11, "SIGSEGV"), (40, "signal 40"), (999, "signal 999")])
def test_signals_go_by_their_names(number: int, name: str) -> None:
    assert signal_name(number) == name
