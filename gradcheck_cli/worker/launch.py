"""Start the keeper, and talk to it: the side of the command, which imports next to nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

BLOCKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if hasattr(signal, "SIGHUP") else ()
"""Signals that are for the command, which tells the keeper what to do."""
# `-c` puts the working folder first, where a file of the user's may be called json.py; `-P` came with Python 3.11.
_BOOT = """
import sys
if sys.path[:1] == [""]:
    del sys.path[0]
sys.path.append(sys.argv.pop())
from gradcheck_cli.worker.keeper import main
del sys.path[-1]
main()
"""
_PATIENCE = 10.0
"""Seconds that the keeper has to end what was started."""
_PACKAGE = str(Path(__file__).resolve().parents[2])


def can_fork() -> bool:
    """Whether this system starts checks in processes of their own."""
    return hasattr(os, "fork") and hasattr(os, "posix_spawn") and bool(sys.executable)


class Keeper:
    """The keeper's process, as the command sees it.

    Args:
        folder: A name for a folder with the temporary files of its checks, of which there will be many; empty for
            one check, which finds the user's own.

    Raises:
        OSError: No process can be started.
    """

    def __init__(self, folder: str = "") -> None:
        self.folder = folder
        self._control, theirs = socket.socketpair()
        self._held = b""
        self.ready = False
        theirs.set_inheritable(True)
        command = [sys.executable, "-c", _BOOT, str(theirs.fileno()), folder, _PACKAGE]
        try:
            self.pid = os.posix_spawn(sys.executable, command, os.environ, setsigmask=BLOCKED)
        except OSError:
            self._control.close()
            raise
        finally:
            theirs.close()

    def fileno(self) -> int:
        """The descriptor that can be read when there are replies."""
        return self._control.fileno()

    def start(self, check: int, channel: int, output: int) -> None:
        """Start a check that hears what to do from `channel` and writes to `output`; a reply says when it has."""
        self._send({"start": check}, [channel, output])

    def end(self, check: int) -> None:
        """End a check with all that it started; a reply says when it has."""
        self._send({"end": check})

    def interrupt(self, check: int) -> None:
        """Let a check know of Ctrl-C."""
        self._send({"interrupt": check})

    def _send(self, request: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it was ended, which `replies` tells
            socket.send_fds(self._control, [json.dumps(request).encode("ascii") + b"\n"], descriptors)

    def replies(self) -> list[dict[str, Any]] | None:
        """What it has to say now, after waiting for at least a part of it; None once it is gone."""
        try:
            chunk = self._control.recv(1 << 16)
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            return None
        *lines, self._held = (self._held + chunk).split(b"\n")
        found = [json.loads(line) for line in lines]
        self.ready = self.ready or {"ready": True} in found
        return found

    def close(self) -> int:
        """End it with all that it started, and return how it ended, as `os.waitstatus_to_exitcode` does."""
        self._control.close()
        deadline = time.monotonic() + _PATIENCE
        if self.folder and not self.ready:
            deadline = 0.0  # it imports torch, and has started nothing
        while True:
            with suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
                deadline = float("inf")
            time.sleep(0.001)


class Beginning:
    """A check that was begun before it is known what it is to check: importing torch takes the most time."""

    def __init__(self) -> None:
        self.keeper = Keeper()
        self.channel, theirs = socket.socketpair()
        self.keeper.start(0, theirs.fileno(), 2)
        theirs.close()


_begun: list[Beginning] = []


def begin(arguments: Sequence[str]) -> None:
    """Begin a check if that is what the command line asks for."""
    wanted = list(arguments[:1]) == ["check"] and not {"-h", "--help", "--in-process"} & set(arguments)
    if wanted and can_fork():
        with suppress(OSError):  # told when it is tried again
            _begun.append(Beginning())


def begun() -> Beginning | None:
    """The check that was begun, once; whoever takes it closes it."""
    return _begun.pop() if _begun else None


def end_begun() -> None:
    """End a check that nobody took."""
    while _begun:
        one = _begun.pop()
        one.channel.close()
        one.keeper.close()
