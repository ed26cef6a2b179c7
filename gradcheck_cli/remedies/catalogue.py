"""The catalogue as data: every remedy once, and for every cause those that serve it."""

from __future__ import annotations

from collections.abc import Mapping

from gradcheck_cli.records.report import Remedy
from gradcheck_cli.remedies import loop, model, numerics
from gradcheck_cli.remedies.row import RemedyRow

ROWS: Mapping[str, RemedyRow] = {row.remedy.id: row for row in (*model.REMEDIES, *numerics.REMEDIES, *loop.REMEDIES)}
"""Every remedy by its id."""


def _by_cause() -> Mapping[str, tuple[Remedy, ...]]:
    served: dict[str, dict[int, Remedy]] = {}
    for row in ROWS.values():
        for cause, place in row.causes.items():
            other = served.setdefault(cause, {}).setdefault(place, row.remedy)
            assert other is row.remedy, f"{cause}:{place} is the place of `{other.id}` and of `{row.remedy.id}`"
    return {cause: tuple(remedies[place] for place in sorted(remedies)) for cause, remedies in served.items()}


BY_CAUSE: Mapping[str, tuple[Remedy, ...]] = _by_cause()
"""For every cause the remedies that serve it, in the order in which to try them."""
