"""How much memory a check may use, and how much it does.

An address-space limit would not do: torch reserves far more than it touches. What counts is the resident memory of
the check's processes together, and of what several share, such as the torch that they forked from, each its part.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from gradcheck_cli.worker.processes import below

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def can_be_limited() -> bool:
    """Whether this system tells what memory a process uses (Linux does)."""
    return (_PROC / "self" / "statm").exists()


def uses_more(process: int, limit: int) -> bool:
    """Whether a process, with all that descends from it, holds more than so many bytes of memory."""
    processes = below([process])
    # What each holds is told at once, its part of what it shares only after a walk through its pages.
    return _resident(processes) > limit and used(processes) > limit


def used(processes: Sequence[int]) -> int:
    """Bytes of memory that processes hold together, what is shared counted in parts."""
    return sum(_proportional(process) for process in processes)


def _resident(processes: Sequence[int]) -> int:
    return sum(_pages(process) for process in processes) * _PAGE


def _pages(process: int) -> int:
    try:
        return int((_PROC / str(process) / "statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):  # it has ended
        return 0


def _proportional(process: int) -> int:
    try:
        lines = (_PROC / str(process) / "smaps_rollup").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    except (OSError, StopIteration):  # it has ended, or the system does not tell
        return _pages(process) * _PAGE
