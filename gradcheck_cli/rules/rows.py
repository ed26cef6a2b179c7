"""Rows that stand out, in words."""

from __future__ import annotations

from gradcheck_cli.records.apart import Apart, Kind
from gradcheck_cli.rules.wording import joined, number


def standing_out(apart: Apart) -> str:
    """What some rows have that the others have not, as a clause."""
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
