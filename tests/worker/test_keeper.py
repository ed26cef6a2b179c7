"""The keeper starts a process for each check, ends it with all that it left, and ends with the command."""

from __future__ import annotations

import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gradcheck_cli.worker.launch import BLOCKED, Began, Keeper, temporary

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is left is looked for in /proc")


class Crew:
    """A keeper with the checks that it was asked to start, none of which is ever told what to check."""

    def __init__(self) -> None:
        self.keeper = Keeper(many=False)
        self.said: list[dict[str, Any]] = []
        self.began: dict[int, Began] = {}
        self.closed = False

    def start(self, *places: int) -> list[int]:
        """Start checks, and wait for the ids of their processes."""
        for place in places:
            self.began[place] = Began(self.keeper, place, to_stderr=False)
        return [self.hear("started", place)["pid"] for place in places]

    def hear(self, word: str, value: Any) -> dict[str, Any]:
        """The reply in which `word` has that value."""
        deadline = time.monotonic() + 20
        while not (found := [reply for reply in self.said if reply.get(word) == value]):
            assert select.select([self.keeper], [], [], deadline - time.monotonic())[0], f"no {word}: {self.said}"
            self.said += self.keeper.replies() or ()
        return found[0]

    def close(self) -> int:
        for one in self.began.values():
            one.close()
        self.closed = True
        return self.keeper.close()


@pytest.fixture
def crew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Crew]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    made = Crew()
    yield made
    if not made.closed:
        made.close()
    assert not temporary(made.keeper.folder).exists()


def runs(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(pid: int) -> bool:
    """Whether a process ends within a moment, which the system takes to tell."""
    deadline = time.monotonic() + 5
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.002)
    return not runs(pid)


def test_it_is_ready_before_it_is_asked_for_anything(crew: Crew) -> None:
    assert crew.hear("ready", True) == {"ready": True}
    assert crew.close() == 0


def test_it_leads_a_session_of_its_own_so_that_ctrl_c_in_a_terminal_is_the_commands(crew: Crew) -> None:
    crew.hear("ready", True)
    assert os.getsid(crew.keeper.pid) == crew.keeper.pid
    assert os.getsid(0) != crew.keeper.pid


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_that_end_a_command_are_not_for_it(crew: Crew, number: int) -> None:
    crew.hear("ready", True)
    os.kill(crew.keeper.pid, number)
    crew.start(0)
    crew.keeper.end(0)
    assert crew.hear("ended", 0)["status"] == -signal.SIGKILL


def test_it_reads_nothing_and_has_the_stderr_of_the_command_for_its_stdout(crew: Crew) -> None:
    crew.hear("ready", True)
    at = Path(f"/proc/{crew.keeper.pid}/fd")
    assert (at / "0").readlink() == Path(os.devnull)
    assert (at / "1").readlink() == (at / "2").readlink() == Path("/proc/self/fd/2").readlink()


def test_each_check_has_a_process_and_is_ended_by_itself(crew: Crew) -> None:
    first, second, third = crew.start(0, 1, 2)
    assert len({first, second, third, crew.keeper.pid}) == 4
    crew.keeper.end(1)
    assert crew.hear("ended", 1) == {"ended": 1, "status": -signal.SIGKILL, "alive": []}
    assert not runs(second)
    assert [reply for reply in crew.said if "ended" in reply and reply["ended"] != 1] == []
    assert runs(first) and runs(third)


def blocked(pid: int) -> set[int]:
    """The signals that a process does not hear."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(status.partition("SigBlk:")[2].split()[0], 16)
    return {number for number in BLOCKED if mask >> (number - 1) & 1}


def test_a_check_hears_the_signals_that_the_keeper_does_not(crew: Crew) -> None:
    (pid,) = crew.start(0)
    deadline = time.monotonic() + 5
    while blocked(pid) and time.monotonic() < deadline:
        time.sleep(0.002)
    assert blocked(crew.keeper.pid) == set(BLOCKED)
    assert blocked(pid) == set()


def test_the_output_of_a_check_ends_with_it(crew: Crew) -> None:
    crew.start(0, 1)
    output = crew.began[0].output
    assert output is not None
    crew.keeper.end(0)
    crew.hear("ended", 0)
    os.set_blocking(output, True)
    assert os.read(output, 100) == b""  # and nobody else holds its other end: neither the keeper nor a check
    assert crew.began[0].channel.recv(100) == b""


def test_a_check_that_somebody_else_ended_is_told_with_how_it_ended(crew: Crew) -> None:
    (pid,) = crew.start(3)
    os.kill(pid, signal.SIGKILL)
    assert crew.hear("ended", 3)["status"] == -signal.SIGKILL


def test_the_same_number_can_be_started_again(crew: Crew) -> None:
    (first,) = crew.start(0)
    crew.keeper.end(0)
    crew.hear("ended", 0)
    crew.said.clear()
    (second,) = crew.start(0)
    assert first != second and runs(second)


def test_a_check_that_is_not_there_can_be_ended_and_interrupted(crew: Crew) -> None:
    (pid,) = crew.start(0)
    crew.keeper.end(9)
    crew.keeper.interrupt(9)
    crew.start(1)
    assert runs(pid)


def test_it_ends_with_the_command_and_all_checks_with_it(crew: Crew) -> None:
    pids = crew.start(0, 1)
    assert crew.close() == 0
    assert all(map(ends, pids))


def test_where_it_is_killed_its_checks_die_with_it(crew: Crew) -> None:
    pids = crew.start(0, 1)
    os.kill(crew.keeper.pid, signal.SIGKILL)
    assert all(map(ends, pids))
    assert crew.close() == -signal.SIGKILL
