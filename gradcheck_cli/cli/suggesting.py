"""Suggestions for what was mistyped, without loading the stage that has them for the user's own names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return "; did you mean `x`?" for the closest candidate, or ""; case does not matter."""
    by_case = {candidate.lower(): candidate for candidate in candidates}
    close = get_close_matches(name.lower(), by_case, n=1)
    return f"; did you mean `{by_case[close[0]]}`?" if close else ""
