"""Findings of several batches told once, each with the numbers of the batches that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.report import Finding
from gradcheck_cli.words import joined


def apportioned(found: Sequence[Sequence[Finding]]) -> list[list[Finding | None]]:
    """For every batch its findings as they are told, None where one is told with an earlier batch.

    What is ill (or suspected) says in which batches; notes are those of the first batch. With one batch nothing
    changes.
    """
    if len(found) == 1:
        return [list(found[0])]
    told: list[list[Finding | None]] = []
    for batch, findings in enumerate(found):
        told.append([_told(finding, batch, found) for finding in findings])
    return told


def is_ill(finding: Finding) -> bool:
    """Whether it is an illness, or the suspicion of one."""
    return finding.severity is not Severity.NOTE or finding.opinion is not None


def _told(finding: Finding, batch: int, found: Sequence[Sequence[Finding]]) -> Finding | None:
    if not is_ill(finding):
        return finding if batch == 0 else None
    shown = [place for place, others in enumerate(found) if any(_are_one(finding, other) for other in others)]
    if shown[0] != batch:
        return None
    where = f"in all {len(found)} batches" if len(shown) == len(found) else f"{_numbered(shown)} of {len(found)}"
    numbers = {"batch": batch + 1, "batches_ill": len(shown), "batches": len(found)}
    return replace(finding, message=f"{where}: {finding.message}", evidence={**finding.evidence, **numbers})


def _are_one(finding: Finding, other: Finding) -> bool:
    """Whether two batches show the same: the code, the cause, the op, and a layer in common where any is named."""
    if not is_ill(other) or (finding.code, finding.cause, finding.op) != (other.code, other.cause, other.op):
        return False
    return bool(set(finding.layers) & set(other.layers)) or finding.layers == other.layers


def _numbered(places: Sequence[int]) -> str:
    """`in batch 3`, `in batches 1, 3 and 4`."""
    names = [str(place + 1) for place in places]
    if len(names) == 1:
        return f"in batch {names[0]}"
    return f"in batches {joined(names)}"
