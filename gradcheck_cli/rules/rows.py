"""Rows that stand out, in words."""

from __future__ import annotations

from gradcheck_cli.records.apart import Apart, Kind
from gradcheck_cli.words import joined, number


def standing_out(apart: Apart) -> str:
    """What some rows have that the others have not, or those of the batches before, as a clause."""
    if apart.batches:
        return _new(apart)
    one = len(apart.rows) == 1
    which = f"{'row' if one else 'rows'} {joined([str(row) for row in apart.rows])} of `{apart.name}`"
    if apart.kind is Kind.ZERO:
        return f"{which} {'is' if one else 'are'} all 0, and no other is"
    if apart.kind is Kind.CONSTANT:
        return f"{which} {'holds' if one else 'hold'} one value throughout, and no other does"
    value, others = number(apart.value, 5), number(apart.others, 2)
    factor = f"({number(apart.factor, 2)} times)"
    if apart.kind is Kind.ABOVE:
        return f"{which} {'reaches' if one else 'all reach'} {value} where the others' largest is {others} {factor}"
    return f"{which} {'reaches' if one else 'reach'} only {value} where each other reaches {others} {factor}"


def _new(apart: Apart) -> str:
    one, before = len(apart.rows) == 1, f"the last {apart.batches} batches"
    if apart.kind is Kind.LONGER:
        return f"`{apart.name}` is {apart.value:,.0f} long; the longest of {before} was {apart.others:,.0f}"
    which = f"{'row' if one else 'rows'} {joined([str(row) for row in apart.rows])} of `{apart.name}`"
    one, which = (one, which) if apart.rows else (True, f"`{apart.name}`")
    if apart.kind is Kind.ZERO:
        return f"{which} {'is' if one else 'are'} all 0; none of {before} had such a row"
    if apart.kind is Kind.UNSEEN:
        end, held = "largest" if apart.value > apart.others else "least", "holds" if one else "hold"
        return f"{which} {held} {apart.value:,.0f}; the {end} of {before} was {apart.others:,.0f}"
    value, others = number(apart.value, 5), number(apart.others, 2)
    return f"{which} {'reaches' if one else 'reach'} {value}; the largest of {before} was {others}"
