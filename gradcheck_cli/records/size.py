"""Amounts of memory, as people write and read them."""

from __future__ import annotations

import re

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_LEAST = 2**20
"""Bytes; Python alone takes ten times as much."""
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})\s*([KMGT]I?|)B", re.IGNORECASE | re.ASCII)


def parse_size(text: str) -> int:
    """The bytes of `4GB`, `512 MiB`, `1.5gb`.

    Raises:
        ValueError: It is no amount, or less than a byte.
    """
    found = _SIZE.fullmatch(text.strip())
    size = round(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if size < 1:
        raise ValueError(f"`{text}` is not an amount of memory like 4GB or 512MiB")
    return size


def parse_limit(text: str) -> int:
    """The bytes that a process may take.

    Raises:
        ValueError: It is no amount, or less than any process takes.
    """
    size = parse_size(text)
    if size < _LEAST:
        raise ValueError(f"`{text}` is less memory than any process takes")
    return size


def size_in_words(size: int) -> str:
    """`4 GB`: three digits, in powers of ten."""
    short = float(f"{size:.3g}")
    unit = next(unit for unit in ("T", "G", "M", "K", "") if short >= _UNITS[unit])
    return f"{float(f'{short / _UNITS[unit]:.3g}'):g} {unit.replace('K', 'k')}B"
