"""Which layers of a deep model get a row of their own, so that a report fits on one screen."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.report import Finding, Layer

FITS = 12
"""Layers, or sick layers, that are all shown."""
HEALTHY_ENDS = 3
"""Layers kept at the head and at the input of a model that has no sick ones; else one."""
SICK_ENDS = 2
"""Sick layers kept at either end where there are more than FITS."""


@dataclass(frozen=True)
class Fold:
    """A row that stands for many layers: how many of each status, and the range of their decades."""

    statuses: tuple[tuple[str, int], ...]
    lowest: float | None
    highest: float | None

    @property
    def count(self) -> int:
        """How many layers are folded."""
        return sum(count for _, count in self.statuses)


def rows(layers: tuple[Layer, ...], findings: tuple[Finding, ...], verbose: bool) -> list[Layer | Fold]:
    """The rows of the layer table, from the last layer to the first."""
    ordered = list(reversed(layers))
    if verbose or len(ordered) <= FITS:
        return list(ordered)
    kept = _kept(ordered, {f.code for f in findings if f.severity is not Severity.NOTE})
    result: list[Layer | Fold] = []
    gap: list[Layer] = []
    for index, layer in enumerate(ordered):
        if index not in kept:
            gap.append(layer)
            continue
        result += [*_folded(gap), layer]
        gap = []
    return result


def _kept(ordered: list[Layer], codes: set[str]) -> set[int]:
    last = len(ordered)
    sick = [i for i, layer in enumerate(ordered) if layer.status in codes]
    ends = 1 if sick else HEALTHY_ENDS
    if len(sick) > FITS:
        first_of_each = {ordered[i].status: i for i in reversed(sick)}
        sick = [*sick[:SICK_ENDS], *sick[-SICK_ENDS:], *first_of_each.values()]
    return {*range(ends), *range(last - ends, last), *sick}


def _folded(gap: list[Layer]) -> list[Layer | Fold]:
    if len(gap) < 2:
        return list(gap)
    decades = [layer.decades for layer in gap if layer.decades is not None and math.isfinite(layer.decades)]
    statuses = tuple(Counter(layer.status for layer in gap).items())
    return [Fold(statuses, min(decades, default=None), max(decades, default=None))]
