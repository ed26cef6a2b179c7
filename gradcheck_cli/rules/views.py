"""GC219: a view in place of a transpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.rules.wording import joined

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def swapped_view(evidence: Evidence) -> Diagnoses:
    """A view puts the sizes of a tensor in another order, and leaves its elements in theirs.

    view() and reshape() cut the same row of numbers anew: of a batch of sequences (8, 20, 4), view(20, 8, 4) is no
    sequence of batches, and each of its rows is made of pieces of several samples. transpose() and permute() move the
    elements along. Sizes that are alike hide it; a view that another one takes back does no harm.
    """
    swaps = {(swap.before, swap.after) for swap in evidence.measurement.swaps}
    found = [s for s in evidence.measurement.swaps if (s.after, s.before) not in swaps]
    if not found:
        return
    first = found[0]
    before, after = (joined([str(size) for size in shape]) for shape in (first.before, first.after))
    yield Diagnosis(
        cause="wrong-dim",
        message=f"`{first.op}` makes a tensor of sizes {after} of one of sizes {before} and moves no element: "
        "what belongs to one sample is spread over others",
        why="the sizes stand in another order and the elements do not; transpose() or permute() moves both",
        source=first.source,
        numbers={"views": len(found)},
    )
