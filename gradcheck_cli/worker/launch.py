"""Start the keeper, and talk to it: the side of the command, which imports next to nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

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
_PACKAGE = __file__.rsplit(os.sep, 3)[0]


def temporary(name: str) -> Path:
    """The folder of that name where temporary files go."""
    import tempfile
    from pathlib import Path

    return Path(tempfile.gettempdir(), name)


def can_fork() -> bool:
    """Whether this system starts checks in processes of their own."""
    return hasattr(os, "fork") and hasattr(os, "posix_spawn") and bool(sys.executable)


_SAME_SETS = {"PYTHONHASHSEED": "0"}
"""The order of a set of names is the same in every run, unless the user asks for another: layers may be built by it."""


class Keeper:
    """The keeper's process, as the command sees it.

    Args:
        many: Whether it imports torch before it starts the first check.

    Raises:
        OSError: No process can be started.
    """

    def __init__(self, *, many: bool) -> None:
        self.many = many
        self.folder = f"gradcheck-{os.urandom(3).hex()}"
        self._control, theirs = socket.socketpair()
        self._held = b""
        self.ready = False
        theirs.set_inheritable(True)
        numbers = str(os.getpid()), str(theirs.fileno())
        command = [sys.executable, "-c", _BOOT, *numbers, self.folder, "many" if many else "one", _PACKAGE]
        try:
            self.pid = os.posix_spawn(sys.executable, command, _SAME_SETS | os.environ, setsigmask=BLOCKED)
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

    def close(self, *, unused: bool = False) -> int:
        """End it with all that it started, and return how it ended, as `os.waitstatus_to_exitcode` does.

        `unused` says that no check has been asked for anything, so that there is nothing to tidy up.
        """
        self._control.close()
        imports = self.many and not self.ready  # and so has started nothing
        deadline = 0.0 if unused or imports else time.monotonic() + _PATIENCE
        while True:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # it has ended, and nobody kept how: whoever started us ignores SIGCHLD
                return 0
            if pid:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
                deadline = float("inf")
            time.sleep(0.001)


class Began:
    """A check that was begun, before it is asked for anything.

    Args:
        keeper: Who starts it.
        place: Its number.
        to_stderr: Whether what it prints goes to stderr, and not through us.

    Attributes:
        channel: Our end of the socket to its process.
        output: A pipe with what it prints, or None.

    Raises:
        OSError: Files have run out.
    """

    def __init__(self, keeper: Keeper, place: int, *, to_stderr: bool) -> None:
        self.channel, theirs = socket.socketpair()
        self.output, printing = None, 2
        try:
            if not to_stderr:
                self.output, printing = os.pipe()
                os.set_blocking(self.output, False)
            keeper.start(place, theirs.fileno(), printing)
        except OSError:
            self.close()
            raise
        finally:
            theirs.close()
            if printing != 2:
                os.close(printing)
        self.channel.setblocking(False)

    def close(self) -> None:
        """Let go of our ends."""
        self.channel.close()
        if self.output is not None:
            os.close(self.output)


class Early:
    """A check begun before it is known what it is to check: importing torch takes the most time."""

    def __init__(self) -> None:
        self.keeper = Keeper(many=False)
        self.began = Began(self.keeper, 0, to_stderr=not os.isatty(2))


_early: list[Early] = []


@contextmanager
def beginning(*, wanted: bool) -> Iterator[None]:
    """Begin a check, for `begun`, and end it if nobody has taken it."""
    with suppress(OSError):  # told when it is tried again
        if wanted and can_fork():
            _early.append(Early())
    try:
        yield
    finally:
        if one := begun():
            one.began.close()
            one.keeper.close(unused=True)


def begun() -> Early | None:
    """The check that was begun, once; whoever takes it closes it."""
    return _early.pop() if _early else None
