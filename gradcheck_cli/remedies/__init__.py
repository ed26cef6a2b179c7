"""Cause in, remedies out: what to try, in the order in which to try it."""

from __future__ import annotations

from gradcheck_cli.records.report import Remedy
from gradcheck_cli.remedies.catalogue import BY_CAUSE, CATALOGUE, NOTE_CAUSES

__all__ = ["BY_CAUSE", "CATALOGUE", "NOTE_CAUSES", "remedies_for"]


def remedies_for(cause: str) -> tuple[Remedy, ...]:
    """The remedies that fit a cause, first things first; none for a note or a cause without an entry."""
    return tuple(CATALOGUE[name] for name in BY_CAUSE.get(cause, ()))
