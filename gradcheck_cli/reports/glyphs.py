"""Numbers, bars and sparklines as plain strings, and users' strings made safe to print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

_ASCII = str.maketrans(
    {"…": "...", "·": "|", "—": "-", "–": "-", "−": "-", "→": "->", "×": "x", "≥": ">=", "≤": "<=", "∂": "d"}
)
_EIGHTHS = " ▏▎▍▌▋▊▉"
_LEVELS = "▁▂▃▄▅▆▇█"
_ASCII_LEVELS = "_.-:=+*#"


def shown(text: str, unicode: bool = True) -> str:
    """`text` with everything that is not printable written as an escape such as `\\x1b`.

    That covers escape codes, line breaks, lone surrogates and the marks that reverse text.
    """
    if not unicode:
        text = text.translate(_ASCII)
    return "".join(c if c.isprintable() and (unicode or c.isascii()) else _escaped(c) for c in text)


def clipped(text: str, width: int, unicode: bool = True) -> str:
    """`text` as `shown` shows it, cut to `width` columns with an ellipsis at the end."""
    from rich.cells import cell_len, set_cell_size

    plain, mark = shown(text, unicode), "…" if unicode else "..."
    return plain if cell_len(plain) <= width else set_cell_size(plain, max(0, width - len(mark))).rstrip() + mark


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def figure(value: float | None, digits: str = ".1e") -> str:
    """A number, a plain 0 where it is exactly that, and a dash where it could not be measured."""
    if value is None:
        return "–"
    return f"{value:{digits}}" if value else "0"


def bar(value: float | None, scale: float, width: int, unicode: bool = True) -> str:
    """A bar of up to `width` characters for |value|, full at `scale`."""
    if value is None or math.isnan(value):
        return ""
    share = min(abs(value) / scale, 1.0)
    if not unicode:
        return "#" * round(share * width)
    whole, eighth = divmod(max(1, round(share * width * 8)), 8)
    return "█" * whole + (_EIGHTHS[eighth] if eighth else "")


def sparkline(values: Sequence[float], width: int, unicode: bool = True) -> str:
    """The values on a log scale, in at most `width` characters; a space is 0 and `?` is nan.

    Neighbours that share a character are shown by their largest.
    """
    columns = _bins(values, max(1, width))
    logs = [math.log10(v) for v in columns if 0 < v < math.inf]
    low, high = (min(logs), max(logs)) if logs else (0.0, 0.0)
    levels = _LEVELS if unicode else _ASCII_LEVELS
    return "".join(_level(value, low, high, levels) for value in columns)


def _level(value: float, low: float, high: float, levels: str) -> str:
    if math.isnan(value):
        return "?"
    if value <= 0:
        return " "
    if math.isinf(value) or high == low:
        return levels[-1]
    return levels[round((math.log10(value) - low) / (high - low) * (len(levels) - 1))]


def _bins(values: Sequence[float], width: int) -> list[float]:
    count = min(width, len(values))
    edges = [i * len(values) // count for i in range(count + 1)] if count else []
    return [_largest(values[a:b]) for a, b in pairwise(edges)]


def _largest(values: Sequence[float]) -> float:
    return math.nan if any(math.isnan(v) for v in values) else max(values)
