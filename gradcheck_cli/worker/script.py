"""A script as its user would start it, in our place: waited for, with the signals that reach us passed on.

It stays in our process group and keeps our streams, so that the terminal treats it as it would treat it alone.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

from gradcheck_cli.errors import Interrupted, UsageError
from gradcheck_cli.worker import processes

SESSION = "GRADCHECK_RUN"
"""The variable that tells every process below of the session's folder."""
BOOT = os.path.join(__file__.rsplit(os.sep, 2)[0], "watch", "boot")  # noqa: PTH118 - without pathlib's import
"""The folder whose sitecustomize.py every Python below runs first."""
_KEYS = ("SIGINT", "SIGQUIT")  # what a terminal sends to everyone in its foreground
_OTHERS = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")  # schedulers warn by the last two
_IGNORED_BY_PYTHON = tuple(getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name))
_PATIENCE = 1.0
"""Seconds after which it is looked whether the script has ended: a thread may have taken the signal that said so."""
_AT_ONCE = 0.1
"""Seconds within which the same signal is one: `timeout` sends it to its child, and then to the group of both."""
_BY_KILL = 0  # SI_USER of asm-generic/siginfo.h


def environment(folder: str) -> dict[str, str]:
    """The environment in which every Python that torch is imported in joins the session in `folder`."""
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{BOOT}{os.pathsep}{path}" if path else BOOT, SESSION: folder}


def run_script(command: list[str], variables: Mapping[str, str], meanwhile: Callable[[], None] | None = None) -> int:
    """Run a command to its end, and return its exit code: 128 + N where signal N ended it.

    Args:
        command: A program, which is looked for on PATH, and its arguments.
        variables: Its environment.
        meanwhile: Called about once a second while it runs.

    Raises:
        UsageError: It cannot be started.
        Interrupted: Ctrl-C was pressed twice; it was ended with all that it had started.
    """
    if not hasattr(os, "posix_spawnp"):
        raise UsageError("this system cannot start a script the way `gradcheck run` does; Linux and macOS can")
    with _held_back() as (heard, before):
        try:
            pid = os.posix_spawnp(command[0], command, variables, setsigmask=before, setsigdef=_IGNORED_BY_PYTHON)
        except OSError as error:
            raise UsageError(f"`{command[0]}` cannot be started: {error.strerror or error}") from error
        return _waited(pid, heard, meanwhile or (lambda: None))


@contextmanager
def _held_back() -> Iterator[tuple[set[int], set[int]]]:
    """Hold back what would end us, as far as we are not deaf to it; the signals, and those held back before."""
    named = (getattr(signal, name) for name in (*_KEYS, *_OTHERS) if hasattr(signal, name))
    heard = {number for number in named if signal.getsignal(number) is not signal.SIG_IGN} | {signal.SIGCHLD}
    child = signal.signal(signal.SIGCHLD, lambda *_: None)  # to be waited for, it must not be ignored
    before = signal.pthread_sigmask(signal.SIG_BLOCK, heard)
    try:
        yield heard, before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGCHLD, child or signal.SIG_DFL)


def _waited(pid: int, heard: set[int], meanwhile: Callable[[], None]) -> int:
    last: dict[int, float] = {}
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            for number in (signal.sigpending() & heard) - {signal.SIGCHLD, *last}:
                signal.sigwait({number})  # the one that ended the script, or came too late for it
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        meanwhile()
        number, everyones = _next(heard)
        now = time.monotonic()
        if number == signal.SIGCHLD or now - last.get(number, -_AT_ONCE) < _AT_ONCE:
            continue
        if number == signal.SIGINT and number in last:
            processes.adopt_orphans()  # so that nothing that is being started gets away
            processes.end([pid])
            processes.end_children()
            raise Interrupted("interrupted", number=number)
        last[number] = now
        if not everyones:
            os.kill(pid, number)


def _next(heard: Collection[int]) -> tuple[int, bool]:
    """The next signal, and whether the script has it as well; SIGCHLD if none comes."""
    keys = [getattr(signal, name, None) for name in _KEYS]
    if not hasattr(signal, "sigtimedwait"):
        number = int(signal.sigwait(heard))
        return number, number in keys
    info = signal.sigtimedwait(heard, _PATIENCE)
    if info is None or info.si_code != _BY_KILL:
        return info.si_signo if info else signal.SIGCHLD, True
    return info.si_signo, info.si_signo in keys and _is_timeout(info.si_pid)


def _is_timeout(sender: int) -> bool:
    """Whether a process is `timeout`, which sends to the whole group after it has sent to us."""
    try:
        with open(f"/proc/{sender}/comm", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - without pathlib
            return file.read().strip() == "timeout"
    except OSError:
        return False
