"""Where something stands in the user's source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceLine:
    """A line of the user's source: `file` as shown to them, `line` from 1."""

    file: str
    line: int
    code: str = ""
