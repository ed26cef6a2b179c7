"""The keeper: a small process that starts each check in a process of its own, and ends all that it left.

It imports torch first where many checks follow, so that each of them costs a fork. It ends with the command, whatever
ended that: then the other side of its control socket is closed. Requests and replies are lines of JSON; with a request
to start come two descriptors, the check's channel and where its output goes.
"""

from __future__ import annotations

import gc
import json
import os
import select
import shutil
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from gradcheck_cli.worker import processes
from gradcheck_cli.worker.launch import BLOCKED, temporary


def main() -> NoReturn:
    """Serve a command; the arguments are its process, the control socket, a folder, and "one" or "many" checks."""
    gc.disable()  # importing makes no garbage; `load_target` turns it on
    command, control = int(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    folder, many = sys.argv[3], sys.argv[4] == "many"
    sys.argv[1:] = []
    os.setsid()
    os.dup2(2, 1)  # stdout is the command's alone
    _nothing_to_read()
    keeper = _Keeper(control, temporary(folder))
    if many:
        from gradcheck_cli.worker.work import preload

        processes.die_with(command)  # which would have to wait for the imports else
        with suppress(Exception):  # each check will tell
            preload(many=True)
        processes.die_with(None)
    keeper.serve()
    os._exit(0)


def _nothing_to_read() -> None:
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)


class _Keeper:
    def __init__(self, control: socket.socket, folder: Path) -> None:
        self._control = control
        self._folder = folder
        self._checks: dict[int, int] = {}  # by the id of their process
        self._wake, waker = os.pipe()
        for end in (self._wake, waker):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        self._waker = waker
        processes.adopt_orphans()

    def serve(self) -> None:
        """Do what is asked until nobody can ask any more."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        self._reply({"ready": True})
        held, descriptors = b"", list[int]()
        while True:
            ready = dict(poll.poll())
            if self._wake in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake, 4096)
                self._reap()
            if self._control.fileno() not in ready:
                continue
            chunk, more = self._asked()
            if not chunk:
                break
            descriptors += more
            *lines, held = (held + chunk).split(b"\n")
            for line in lines:
                self._obey(json.loads(line), descriptors)
        self._leave()

    def _asked(self) -> tuple[bytes, list[int]]:
        try:
            chunk, descriptors, _, _ = socket.recv_fds(self._control, 1 << 16, 64)
        except ConnectionResetError:  # the command ended and left a reply unread
            return b"", []
        return chunk, descriptors

    def _obey(self, request: dict[str, Any], descriptors: list[int]) -> None:
        if "start" in request:
            self._start(request["start"], [descriptors.pop(0) for _ in range(2)])
        for pid, check in self._checks.items():
            if check == request.get("end"):
                processes.end_group(pid)
            if check == request.get("interrupt"):
                os.kill(pid, signal.SIGINT)

    def _start(self, check: int, descriptors: list[int]) -> None:
        keeper = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._reply({"ended": check, "fault": error.strerror})
        else:
            if pid == 0:
                self._become(keeper, descriptors, self._folder / str(check))
            self._checks[pid] = check
            self._reply({"started": check, "pid": pid})
        for descriptor in descriptors:
            os.close(descriptor)

    def _become(self, keeper: int, descriptors: list[int], folder: Path) -> NoReturn:
        """Go on as the process of a check, with nothing of the keeper's."""
        try:
            processes.die_with(keeper)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for own in (self._control.detach(), self._wake, self._waker):
                os.close(own)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
            from gradcheck_cli.worker.work import work

            work(descriptors[0], descriptors[1], folder)
        finally:
            os._exit(70)

    def _reap(self) -> None:
        """Tell of the checks that ended, once nothing that they started is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if (check := self._checks.pop(pid, None)) is not None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
                alive = processes.end_children(self._checks)
                shutil.rmtree(self._folder / str(check), ignore_errors=True)
                self._reply({"ended": check, "status": os.waitstatus_to_exitcode(status), "alive": alive})

    def _leave(self) -> None:
        for pid in self._checks:
            processes.end_group(pid)
        processes.end_children()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _reply(self, message: dict[str, Any]) -> None:
        with suppress(OSError):  # nobody hears it: the next look at the socket says so
            self._control.sendall(json.dumps(message).encode("ascii") + b"\n")
