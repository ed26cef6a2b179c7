"""Words for messages: close names, short lists."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return "; did you mean `x`?" for the closest candidate, or ""."""
    by_plain = {_plain(candidate): candidate for candidate in candidates}
    close = difflib.get_close_matches(_plain(name), by_plain, n=1, cutoff=0.6)
    return f"; did you mean `{by_plain[close[0]]}`?" if close else ""


def listing(names: Sequence[str], limit: int = 6) -> str:
    """Return "`a`, `b` and 3 more"."""
    shown = ", ".join(f"`{name}`" for name in names[:limit])
    more = len(names) - limit
    return f"{shown} and {more} more" if more > 0 else shown


def _plain(name: str) -> str:
    # Case and underscores are what people get wrong: CrossEntropy for cross_entropy.
    return name.lower().replace("_", "").replace("-", "")
