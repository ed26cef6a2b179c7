"""GC219: a view in place of a transpose."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from operator import mul
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import About
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import joined

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def swapped_view(evidence: Evidence) -> Diagnoses:
    """A view puts the sizes of a tensor in another order, and leaves its elements in theirs.

    view() and reshape() cut the same row of numbers anew: of a batch of sequences (8, 20, 4), view(20, 8, 4) is no
    sequence of batches, and each of its rows is made of pieces of several samples. transpose() and permute() move the
    elements along. A view that another one takes back does no harm. Where the sizes divide each other the same view may
    split one dimension and join two others on purpose, as attention does with its heads: then training decides.
    """
    swaps = {(swap.before, swap.after) for swap in evidence.measurement.swaps}
    found = [s for s in evidence.measurement.swaps if (s.after, s.before) not in swaps]
    if not found:
        return
    first = max(found, key=lambda s: _straddles(s.before, s.after))
    before, after = (joined([str(size) for size in shape]) for shape in (first.before, first.after))
    yield Diagnosis(
        cause="wrong-dim",
        message=f"`{first.op}` makes a tensor of sizes {after} of one of sizes {before} and moves no element: "
        "what belongs to one sample is spread over others",
        why="the sizes stand in another order and the elements do not; transpose() or permute() moves both",
        source=first.source,
        numbers={"views": len(found)},
        doubt=None if _straddles(first.before, first.after) else About.WHOLE,
    )


def _straddles(before: Sequence[int], after: Sequence[int]) -> bool:
    """Whether rows of the one begin inside of rows of the other, so that no splitting and joining explains the view."""
    ends = sorted({*accumulate(before, mul), *accumulate(after, mul)})
    return any(larger % smaller for smaller, larger in pairwise(ends))
