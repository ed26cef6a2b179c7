"""The groups of an account, told to the reader: shares that add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradcheck_cli.records.group import Group
from gradcheck_cli.records.report import Share
from gradcheck_cli.words import named

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

MOST = 6
"""Shares of a finding at most, with the one for all that is left."""


def shares_of(evidence: Evidence, groups: Sequence[Group]) -> tuple[Share, ...]:
    """The largest groups, and the rest as one share "elsewhere", so that their decades add up."""
    told = groups if len(groups) <= MOST else groups[: MOST - 1]
    left = groups[len(told) :]
    rest = Share(
        kind="elsewhere", where="", source=None, decades=sum(g.decades for g in left), count=sum(g.count for g in left)
    )
    return (*(_share(evidence, group) for group in told), *([rest] if left else []))


def _share(evidence: Evidence, group: Group) -> Share:
    return Share(
        kind=group.kind,
        where=named([evidence.graph.path_of(module) for module in group.modules]) if group.modules else "",
        source=evidence.measurement.sources[group.source] if group.source >= 0 else None,
        decades=group.decades,
        count=group.count,
    )
