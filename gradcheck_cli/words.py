"""How texts say things: names, counts, numbers, factors and shares, and what was probably meant. One convention."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence


def named(layers: Sequence[str], what: str = "layers") -> str:
    """The layers as a message names them: one, two, or from the first to the last.

    In backticks, so that a layer called `first` reads as a name; "`convs.0` .. `convs.6` (7 layers)".
    """
    if len(layers) <= 2:
        return " and ".join(f"`{layer}`" for layer in layers)
    return f"`{layers[0]}` .. `{layers[-1]}` ({len(layers)} {what})"


def verb(things: Sequence[object], one: str, many: str) -> str:
    """The form of a verb or of a pronoun that fits one thing or several."""
    return one if len(things) == 1 else many


def counted(count: int, noun: str, nouns: str = "") -> str:
    """`1 weight`, `12 weights`; `nouns` is a plural that an s does not make."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {nouns or f'{noun}s'}"


def count_of(count: int, noun: str) -> str:
    """`1 layer`, `2048 layers`: as reports count, in plain digits."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def times_of_one_answer(ratio: float) -> str:
    """What a loss is next to that of the same answer for every sample: "that of ...", "1.3 times that of ..."."""
    times = f"{ratio:.3g}"
    return f"{'' if times == '1' else f'{times} times '}that of one answer for every sample"


def joined(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def number(value: float, digits: int = 3) -> str:
    """A number to so many digits, without padding: `0.097`, `22,100`, `1.32e6`, `7.1e-8`."""
    if 10 ** min(digits, 3) <= abs(value) < 1e6:
        return f"{float(f'{value:.{digits}g}'):,.0f}"
    mantissa, e, power = f"{value:.{digits}g}".partition("e")
    return {"nan": "NaN", "inf": "Inf", "-inf": "-Inf"}.get(mantissa) or (f"{mantissa}e{int(power)}" if e else mantissa)


def times(decades: float) -> str:
    """A factor of 10^`decades`, also where no float holds it: `about 250 times`, `about 2e10 times`."""
    if not math.isfinite(decades):
        return "infinitely many times"
    if decades < 4:
        return f"about {number(10**decades, 2)} times"
    lead, _, carried = f"{10 ** (decades % 1):.0e}".partition("e")
    return f"about {lead}e{math.floor(decades) + int(carried)} times"


def percent(share: float, digits: int = 0) -> str:
    """A share in percent: `96 %`; below what the digits can show, `under 1 %`."""
    smallest = 10.0**-digits
    return f"under {smallest:g} %" if 0 < 100 * share < smallest / 2 else f"{100 * share:.{digits}f} %"


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
