"""How much memory a check may use, and how much it does.

An address-space limit would not do: torch reserves far more than it touches. What counts is the resident memory of
the check's processes together.
"""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def can_be_limited() -> bool:
    """Whether this system tells what memory a process uses (Linux does)."""
    return (_PROC / "self" / "statm").exists()


def resident(group: int) -> int:
    """Bytes of memory that the processes of a group hold, counting what they share once for each."""
    return sum(_resident(process) for process in _PROC.iterdir() if _group(process) == group)


def _group(process: Path) -> int:
    if not process.name.isdigit():
        return -1
    try:
        return os.getpgid(int(process.name))
    except OSError:  # it has ended
        return -1


def _resident(process: Path) -> int:
    try:
        return int((process / "statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0
