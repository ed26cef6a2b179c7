"""GC211: gradients that are small because their parts add up to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import named, number, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def cancelled(evidence: Evidence) -> Diagnoses:
    """Large parts of a gradient add up to nothing, because the loss does not depend on the parameter.

    A bias before a normalisation, the key bias under a softmax, a weight whose scale is divided out
    again: the gradient is small by algebra and what is left of it is rounding.
    """
    layers = [m for m in evidence.trainable if evidence.cancels(m)]
    idle = {m: left for m in evidence.trainable if (left := _idle_bias(evidence, m)) is not None}
    biases = {m: left for m, left in idle.items() if not evidence.cancels(m)}
    if layers:
        names = tuple(evidence.graph.path_of(m) for m in layers)
        left = min(account.by_kind["merge"] for m in layers if (account := evidence.paths.strongest(m)))
        yield _cancelled(
            evidence,
            layers,
            f"the loss does not change with {named(names)}: the parts of {verb(names, 'its', 'their')} gradient cancel",
            f"only {number(10**left, 1)} of it is left where branches add up",
        )
    if biases:
        names = tuple(evidence.graph.path_of(m) for m in biases)
        yield _cancelled(
            evidence,
            list(biases),
            f"the loss does not change with the {verb(names, 'bias', 'biases')} of {named(names)}",
            f"no harm: summed over the batch {number(10 ** min(biases.values()), 1)} of the gradient is left, as where "
            "a normalisation or a softmax takes any constant out again",
        )


def _cancelled(evidence: Evidence, layers: Sequence[int], message: str, why: str) -> Diagnosis:
    return Diagnosis(
        layers=tuple(evidence.graph.path_of(m) for m in layers),
        cause="cancelled",
        message=message,
        why=why,
        source=evidence.layers[layers[0]].source,
        numbers={"layers": len(layers)},
    )


def _idle_bias(evidence: Evidence, module: int) -> float | None:
    """Decades that summing takes at a bias whose sum is nothing: over N rows it is normally about sqrt(N)."""
    for index in evidence.graph.owned[module]:
        account = evidence.paths.accounts.get(index)
        if account is not None and len(evidence.measurement.parameters[index].shape) == 1:
            _, last = next(evidence.paths.factors(account), (0, 0.0))
            if last < 1 - evidence.thresholds.slower_decades:
                return last
    return None
