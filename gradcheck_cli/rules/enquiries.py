"""What to measure further: only where one pass looks odd, so that a plainly healthy model pays nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradcheck_cli.records.blockage import Reason
from gradcheck_cli.records.enquiry import Questions
from gradcheck_cli.records.ops import is_custom
from gradcheck_cli.rules.blocked import nothing_learns

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def questions(evidence: Evidence) -> Questions:
    """What the rules would know beside this evidence; nothing where it is plainly healthy or not finite."""
    if not math.isfinite(evidence.measurement.loss) or evidence.measurement.culprit is not None:
        return Questions()
    steepest = max(evidence.trainable, key=lambda m: evidence.layers[m].elasticity or 0.0, default=None)
    largest = evidence.layers[steepest].elasticity or 0.0 if steepest is not None else 0.0
    limits = evidence.thresholds
    flat = evidence.collapsing
    return Questions(
        nulls=bool(evidence.measurement.heads) and (flat or _is_odd(evidence, largest)),
        profile=flat,
        steep=steepest if largest > limits.exploding_elasticity else None,
        functions=tuple(_blamed_functions(evidence)),
        double=nothing_learns(evidence),
    )


def _is_odd(evidence: Evidence, largest: float) -> bool:
    """Whether the scale of the activations, or how much the weights move the loss, is out of the usual.

    No loss counts as large by itself: verdicts are free of its scale.
    """
    limits, references = evidence.thresholds, evidence.references
    most = limits.usual_most if references.is_one_term else limits.unknown_most
    return not limits.usual_least < largest < most or evidence.has_grown


def _blamed_functions(evidence: Evidence) -> list[int]:
    """The custom Functions that take or add as many decades as make a layer's slowness a suspicion."""
    most = evidence.thresholds.slower_decades / 2
    blamed: dict[int, float] = {}
    for module in evidence.zero_layers:
        blockage = evidence.blocking.of(module)
        first = blockage.first[Reason.SURROGATE]
        if blockage.reason is Reason.SURROGATE and first is not None:
            blamed[first] = math.inf
    for index, above in enumerate(evidence.paths.ledger.parent):
        if above >= 0 and is_custom(evidence.graph.op(above).name):
            decades = evidence.paths.factor(index)
            if decades is not None and abs(decades) >= most:
                blamed[above] = max(abs(decades), blamed.get(above, 0.0))
    return sorted(blamed, key=lambda op: -blamed[op])[:_FEW]


_FEW = 4
"""Functions that are tested at most: the worst ones tell."""
