"""End what a process started, wherever it went: into a group or a session of its own, or away from its parents.

On Linux a process can adopt the orphans below it, and die with its parent; elsewhere only process groups are left.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

_DIE_WITH_PARENT, _ADOPT_ORPHANS = 1, 36  # PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER of linux/prctl.h


def adopt_orphans(*, wanted: bool = True) -> bool:
    """Become the parent of every process below this one whose own parent ends; whether the system does that."""
    return _prctl(_ADOPT_ORPHANS, int(wanted))


def die_with(parent: int | None) -> None:
    """End this process when its parent does, whatever it is busy with, and at once if it has; None ends that."""
    known = _prctl(_DIE_WITH_PARENT, signal.SIGKILL if parent else 0)
    if known and parent and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> bool:
    if sys.platform != "linux":
        return False
    import ctypes

    return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)


def children() -> set[int]:
    """The children of this process, also those that have ended and were not waited for."""
    return {pid for pid, parent in parents().items() if parent == os.getpid()}


def below(roots: Iterable[int]) -> list[int]:
    """The processes with all that descends from them."""
    by_parent: dict[int, list[int]] = {}
    for pid, parent in parents().items():
        by_parent.setdefault(parent, []).append(pid)
    found, waiting = [], list(roots)
    while waiting:
        found.append(pid := waiting.pop())
        waiting += by_parent.get(pid, ())
    return found


def parents() -> dict[int, int]:
    """The parent of every process that is seen; nothing where there is no /proc."""
    return dict(_parents())


def _parents() -> Iterator[tuple[int, int]]:
    with suppress(OSError), os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdigit():
                with suppress(OSError):  # it has ended
                    yield int(entry.name), _parent(entry.name)


def _parent(name: str) -> int:
    stat = os.open(f"/proc/{name}/stat", os.O_RDONLY)
    try:
        # The name of its program stands in parentheses, and may hold any character.
        return int(os.read(stat, 1024).rpartition(b")")[2].split()[1])
    finally:
        os.close(stat)


def end_group(leader: int) -> None:
    """End a process with its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    end([leader])


def end(processes: Iterable[int]) -> None:
    """End processes, as far as this one may."""
    for pid in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def end_children(spared: Collection[int] = (), patience: float = 5.0) -> list[int]:
    """End every child that is not spared with all below it, and wait for them; return those that live on.

    An orphan is found here once its parent has ended, so that it goes on until there is none.

    Args:
        spared: Children that stay.
        patience: Seconds after which what cannot be ended is given up.
    """
    deadline = time.monotonic() + patience
    while strangers := children() - set(spared):
        if time.monotonic() > deadline:
            return sorted(strangers)
        end(below(strangers))
        reap(strangers)
        time.sleep(0.002)
    return []


def reap(processes: Iterable[int]) -> None:
    """Wait for those children that have ended."""
    for pid in processes:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
