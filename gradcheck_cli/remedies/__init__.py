"""Cause in, remedies out: what to try, in the order in which to try it."""

from __future__ import annotations

from dataclasses import replace

from gradcheck_cli.records.ops import plain_op
from gradcheck_cli.records.report import Remedy
from gradcheck_cli.records.traits import Traits
from gradcheck_cli.remedies.catalogue import BY_CAUSE, ROWS
from gradcheck_cli.remedies.rewriting import rewritten
from gradcheck_cli.remedies.row import Tried

__all__ = ["BY_CAUSE", "ROWS", "Tried", "remedies_for"]


def remedies_for(cause: str, op: str | None = None, code: str = "", traits: Traits | None = None) -> tuple[Remedy, ...]:
    """The remedies that serve a cause, first things first; none for a note.

    Args:
        cause: One of the causes of the rules.
        op: The op that a finding blames, by its own or its node's name.
        code: The user's line that called it: what can be written into it is.
        traits: What the model has: what cannot apply to it is left out. All are given where that is not known.
    """
    rows = [ROWS[remedy.id] for remedy in BY_CAUSE.get(cause, ())]
    found = [row.worded(traits or frozenset()) for row in rows if traits is None or row.applies(cause, traits)]
    return tuple(replace(r, code=rewritten(code, plain_op(op or ""), r.id, cause) or r.code) for r in found)
