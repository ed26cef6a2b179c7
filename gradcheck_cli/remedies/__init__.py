"""Cause in, remedies out: what to try, in the order in which to try it."""

from __future__ import annotations

from collections.abc import Iterable

from gradcheck_cli.records.report import Remedy
from gradcheck_cli.records.traits import Traits
from gradcheck_cli.remedies.catalogue import BY_CAUSE, ROWS
from gradcheck_cli.remedies.guards import carried_into, ladders_for, without_softmax
from gradcheck_cli.remedies.retried import with_shadow, with_trials
from gradcheck_cli.remedies.rising import after_rise
from gradcheck_cli.remedies.row import TrialKind

__all__ = [
    "BY_CAUSE",
    "ROWS",
    "TrialKind",
    "after_rise",
    "carried_into",
    "each_once",
    "ladders_for",
    "remedies_for",
    "with_shadow",
    "with_trials",
    "without_softmax",
]


def remedies_for(cause: str, traits: Traits | None = None, code: str = "") -> tuple[Remedy, ...]:
    """The remedies that serve a cause, first things first; none for a note.

    Args:
        cause: One of the causes of the rules.
        traits: What the model has: what cannot apply to it is left out. All are given where that is not known.
        code: That of the rule which found it, where remedies are worded for rules of their own.
    """
    rows = [ROWS[remedy.id] for remedy in BY_CAUSE.get(cause, ())]
    kept = [row for row in rows if traits is None or row.applies(cause, traits)]
    return tuple(row.worded(cause, traits or frozenset(), code) for row in kept)


def each_once(causes: Iterable[str]) -> tuple[Remedy, ...]:
    """The remedies of several causes, each once, in the order in which they are met."""
    return tuple(dict.fromkeys(remedy for cause in causes for remedy in remedies_for(cause)))
