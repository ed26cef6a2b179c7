"""The command's side of the keeper: what is begun can be taken once, and nothing of it is left when it is closed."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradcheck_cli.worker.launch import Began, Keeper, beginning, begun, can_fork, temporary

pytestmark = pytest.mark.skipif(not can_fork(), reason="nothing is started here")


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    made = Keeper(many=False)
    yield made
    if runs(made.pid):
        made.close(unused=True)


def replies(keeper: Keeper) -> list[dict]:
    """What it says next, which must not take long."""
    assert select.select([keeper], [], [], 20)[0], "the keeper says nothing"
    found = keeper.replies()
    assert found is not None
    return found


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()} if sys.platform == "linux" else set()


def runs(pid: int) -> bool:
    """Whether a child of ours is still to be waited for."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def test_a_temporary_folder_is_where_temporary_files_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert temporary("gradcheck-x") == tmp_path / "gradcheck-x"
    assert not temporary("gradcheck-x").exists()


@pytest.mark.parametrize("missing", ["fork", "posix_spawn"])
def test_a_system_without_processes_of_its_own_is_told(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, missing)
    assert not can_fork()


def test_an_interpreter_that_does_not_know_its_own_program_cannot_start_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "")
    assert not can_fork()


def test_a_keeper_says_that_it_is_ready_and_ends_when_it_is_closed(keeper: Keeper) -> None:
    assert not keeper.ready
    assert replies(keeper) == [{"ready": True}]
    assert keeper.ready
    assert keeper.close() == 0
    assert not runs(keeper.pid)


def test_it_can_be_closed_before_it_has_said_anything(keeper: Keeper) -> None:
    assert keeper.close(unused=True) in (0, -signal.SIGKILL)
    assert not runs(keeper.pid)


def test_one_that_imports_torch_is_not_waited_for() -> None:
    keeper = Keeper(many=True)
    assert keeper.close() in (0, -signal.SIGKILL)
    assert not runs(keeper.pid)


def test_one_that_was_ended_says_nothing_more_and_can_be_asked_all_the_same(keeper: Keeper) -> None:
    replies(keeper)
    os.kill(keeper.pid, signal.SIGKILL)
    os.waitid(os.P_PID, keeper.pid, os.WEXITED | os.WNOWAIT)
    keeper.end(0)
    keeper.interrupt(0)
    assert keeper.replies() is None
    assert keeper.close() == -signal.SIGKILL


def test_two_keepers_have_folders_of_their_own(keeper: Keeper) -> None:
    other = Keeper(many=False)
    try:
        assert keeper.folder != other.folder
        assert keeper.folder.startswith("gradcheck-")
    finally:
        other.close(unused=True)


def test_no_descriptor_is_left_where_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = descriptors()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(FileNotFoundError) as raised:
        Keeper(many=False)
    assert descriptors() == before
    assert raised.tb  # which holds what would be let go of otherwise


class Deaf:
    """Takes what is to be started, and fails where it is told to."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.given: list[tuple[int, int, int]] = []

    def start(self, check: int, channel: int, output: int) -> None:
        if self.fails:
            raise OSError(24, "Too many open files")
        self.given.append((check, os.dup(channel), os.dup(output)))


@pytest.mark.parametrize("to_stderr", [False, True])
def test_what_is_begun_leads_there_and_back(to_stderr: bool) -> None:
    deaf, before = Deaf(), descriptors()
    began = Began(deaf, 7, to_stderr=to_stderr)
    ((place, channel, output),) = deaf.given
    theirs = socket.socket(fileno=channel)
    began.channel.send(b"asked")
    assert (place, theirs.recv(10)) == (7, b"asked")
    theirs.send(b"answered")
    assert began.channel.recv(20) == b"answered"
    with pytest.raises(BlockingIOError):
        began.channel.recv(20)
    if to_stderr:
        assert began.output is None
        assert os.path.sameopenfile(output, 2)
    else:
        os.write(output, b"printed")
        assert began.output is not None and os.read(began.output, 20) == b"printed"
        with pytest.raises(BlockingIOError):
            os.read(began.output, 20)
    theirs.close()
    os.close(output)
    began.close()
    assert descriptors() == before


@pytest.mark.parametrize("to_stderr", [False, True])
def test_no_descriptor_is_left_where_it_cannot_be_begun(to_stderr: bool) -> None:
    before = descriptors()
    with pytest.raises(OSError, match="Too many open files"):
        Began(Deaf(fails=True), 0, to_stderr=to_stderr)
    assert descriptors() == before


class TestBeginning:
    def test_nothing_is_begun_where_it_is_not_wanted(self) -> None:
        with beginning(wanted=False):
            assert begun() is None

    def test_what_nobody_took_is_ended(self) -> None:
        before = descriptors()
        with beginning(wanted=True):
            assert descriptors() > before or sys.platform != "linux"
        assert begun() is None
        assert descriptors() == before

    def test_it_can_be_taken_once_and_is_then_the_takers(self) -> None:
        with beginning(wanted=True):
            one = begun()
            assert one is not None and begun() is None
        assert runs(one.keeper.pid)
        one.began.close()
        one.keeper.close(unused=True)
        assert not runs(one.keeper.pid)

    def test_it_is_ended_also_where_something_is_raised(self) -> None:
        before = descriptors()
        with pytest.raises(ZeroDivisionError), beginning(wanted=True):
            raise ZeroDivisionError
        assert begun() is None
        assert descriptors() == before

    def test_that_none_can_be_started_is_no_matter_yet(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        with beginning(wanted=True):
            assert begun() is None
