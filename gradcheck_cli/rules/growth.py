"""What made gradients or outputs too large, and how that is told."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gradcheck_cli.records.account import Account
from gradcheck_cli.records.ops import DIVISIONS, PRODUCTS, SUMMING
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.rules.tally import tally
from gradcheck_cli.rules.wording import number, times

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def growth_cause(evidence: Evidence) -> str:
    """What made it large: the input, a division, sums over neighbours or branches, or the weights.

    Read from the account of the layer that was used first, whose path crosses the whole network.
    """
    limits, account = evidence.thresholds, _account_of_the_first(evidence)
    if account is not None and _grown_in(evidence, account, DIVISIONS) > limits.division_growth:
        return "small-denominator"
    inputs = max(evidence.references.input_scales, default=0.0)
    if inputs > limits.large_input and _first_scale(evidence) > limits.large_input / 3:
        return "input-scale"
    if account is None:
        return "large-init"
    if _grown_in(evidence, account, SUMMING) > limits.summing_growth:
        return "sum-aggregation"
    merged = account.by_kind.get("merge", 0.0) + _scaled(evidence, account)
    if account.count_by_kind.get("merge", 0) >= limits.residual_merges and merged > limits.residual_growth:
        return "residual-growth"
    return "large-init"


def _account_of_the_first(evidence: Evidence) -> Account | None:
    first = min(evidence.trainable, key=evidence.paths.position, default=None)
    return evidence.paths.strongest(first) if first is not None else None


def _grown_in(evidence: Evidence, account: Account, stems: frozenset[str]) -> float:
    """Decades gained in ops of these stems that no parameter takes part in."""
    return sum(decades for _, decades in _without_parameters(evidence, account, stems))


def _without_parameters(evidence: Evidence, account: Account, stems: frozenset[str]) -> Iterator[tuple[int, float]]:
    for op, decades in evidence.paths.factors(account):
        if evidence.graph.stem(op) in stems and not evidence.graph.weighted[op]:
            yield op, decades


def _scaled(evidence: Evidence, account: Account) -> float:
    """Decades gained in constant factors below the loss, whose own scale is no growth."""
    own = ((op, decades) for op, decades in evidence.paths.factors(account) if op not in evidence.shared)
    return sum(decades for op, decades in own if evidence.graph.stem(op) in PRODUCTS)


def _first_scale(evidence: Evidence) -> float:
    """RMS that the first layer puts out; a normalisation there makes the input's scale harmless."""
    return next((layer.activation_rms for layer in evidence.layers.values() if layer.activation_rms), 0.0)


def largest_gradient(evidence: Evidence) -> int | None:
    """The layer whose gradient has the largest norm; None without any."""
    return max(evidence.trainable, key=lambda m: evidence.layers[m].grad_norm or 0.0, default=None)


_BLAME = {
    "large-init": "the weights are too large",
    "residual-growth": "every residual branch adds to the stream and nothing scales it back",
    "sum-aggregation": "sums over many elements grow with their number, where means would not",
}


def growth_in_words(evidence: Evidence, cause: str) -> str:
    """The cause of a growth with the numbers that show it."""
    if cause == "input-scale":
        scale = number(max(evidence.references.input_scales))
        return f"the inputs are too large: their RMS is {scale}, and layers are initialised for about 1"
    if cause == "small-denominator":
        return _division_in_words(evidence)
    told = _seen_growth(evidence)
    return f"{_BLAME[cause]}: {told}" if cause in _BLAME else told


def _division_in_words(evidence: Evidence) -> str:
    op, grown = _worst_division(evidence)
    return (
        f"a denominator is too small: {evidence.graph.maker_of(op)} makes the gradient {times(grown)} larger, as "
        f"dividing by {number(10**-grown, 1)} does"
    )


def _worst_division(evidence: Evidence) -> tuple[int, float]:
    """The division on the path of the first layer that makes its gradient grow most, and its decades."""
    account = _account_of_the_first(evidence)
    assert account is not None
    return max(_without_parameters(evidence, account, DIVISIONS), key=lambda f: f[1])


def _seen_growth(evidence: Evidence) -> str:
    scales = [layer.activation_rms for layer in evidence.layers.values() if layer.activation_rms]
    if len(scales) >= 2 and scales[-1] > 10 * scales[0]:
        grown = math.log10(scales[-1] / scales[0])
        return (
            f"what the layers put out gets {times(grown)} larger on the way to the output, from an RMS of "
            f"{number(scales[0], 2)} to {number(scales[-1], 2)}"
        )
    layer = largest_gradient(evidence)
    account = evidence.paths.strongest(layer) if layer is not None else None
    if layer is None or account is None:
        return f"the loss is {number(evidence.measurement.loss)}"
    return tally(evidence, account, evidence.graph.path_of(layer))


def growth_place(evidence: Evidence, cause: str, layer: int | None) -> SourceLine | None:
    """The line to look at: the division that is to blame, else where the layer was called."""
    if cause == "small-denominator":
        return evidence.graph.source_of(_worst_division(evidence)[0])
    return evidence.layers[layer].source if layer is not None else None
