"""What made gradients or outputs too large, and how that is told."""

from __future__ import annotations

import math
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

from gradcheck_cli.records.account import Account
from gradcheck_cli.records.group import Group
from gradcheck_cli.records.ops import (
    DIVISIONS,
    EXPONENTIALS,
    NORMALIZATIONS,
    PRODUCTS,
    SCALINGS,
    SUMMING,
    SUMS,
    is_custom,
    kind_of,
)
from gradcheck_cli.records.report import Share
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.rules.accountwords import account_in_words
from gradcheck_cli.rules.attribution import (
    SCALE_OF_THE_LOSS,
    UNKNOWN,
    WEIGHTS,
    Blame,
    Factor,
    is_true,
    largest,
    sorted_out,
)
from gradcheck_cli.rules.inputs import column_in_words
from gradcheck_cli.rules.shares import shares_of
from gradcheck_cli.words import number, times

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def growth_cause(evidence: Evidence) -> str:
    """What made it large: the input, or what at least half of the decades were won in, if anything.

    Read from the account of the layer that was used first, whose path crosses the whole network.
    """
    limits = evidence.thresholds
    large = limits.large_input / 3  # what a first layer of usual weights and its rectifier make of such inputs
    blame = _blame(evidence)
    if blame.cause == "small-denominator":
        return blame.cause
    inputs = max(evidence.references.input_scales, default=0.0)
    if inputs > limits.large_input and _first_scale(evidence) > large:
        return "input-scale"
    if blame.cause == UNKNOWN and _first_scale(evidence) > large * max(inputs, 1.0):
        return "large-init"  # what the first layer's own weight does to the scale is in no gradient of that layer
    return blame.cause


def growth_shares(evidence: Evidence) -> tuple[Share, ...]:
    """Where the decades of that account were won and lost."""
    account = _account_of_the_first(evidence)
    return shares_of(evidence, evidence.groups_won(account)) if account is not None else ()


def _account_of_the_first(evidence: Evidence) -> Account | None:
    first = min(evidence.trainable, key=evidence.paths.position, default=None)
    return evidence.paths.strongest(first) if first is not None else None


def _blame(evidence: Evidence) -> Blame:
    """What won at least half of the decades of that account, and one decade or more.

    What scales the loss is no growth, unless it is a division.
    """
    account = _account_of_the_first(evidence)
    if account is None:
        return Blame(UNKNOWN)
    groups = evidence.groups_won(account)
    branches = _usual_branches(evidence, account)
    parts = sorted_out(groups, partial(_cause, evidence, branches))
    blame = largest(parts, evidence.thresholds.explaining_share)
    if blame.decades < evidence.thresholds.least_growth:
        return Blame(UNKNOWN)
    return blame._replace(cause="large-init") if blame.cause == WEIGHTS else blame


_BY_GROUP = {"shared": SCALE_OF_THE_LOSS, "step": "recurrent-gain"}
"""What the kind of a group says by itself."""


def _cause(evidence: Evidence, branches: frozenset[int] | None, group: Group, op: int, won: float) -> str | None:
    """What a factor that makes a gradient larger is an instance of; None where that is no cause by itself."""
    name = evidence.graph.op(op).name
    if group.kind == "merge":
        return None if branches is None else "residual-growth"
    if _divides(evidence, op):
        return "small-denominator"
    if evidence.graph.stem(op) in EXPONENTIALS or group.kind in _BY_GROUP:
        return "exp-overflow" if evidence.graph.stem(op) in EXPONENTIALS else _BY_GROUP[group.kind]
    if is_custom(name):
        return None if is_true(evidence, op) else "custom-backward"
    if branches is not None and op in branches:
        return "residual-growth"
    return SCALE_OF_THE_LOSS if kind_of(name) == "loss" else _cause_by_stem(evidence, op, won)


def _divides(evidence: Evidence, op: int) -> bool:
    """Whether an op divides by no parameter, or multiplies by what is a quotient or an exponential: z * exp(-s)."""
    graph = evidence.graph
    if graph.weighted[op]:
        return False
    stem, edges = graph.stem(op), graph.op(op).edges
    by_quotient = len(edges) > 1 and any(graph.stem(edge.to) in _QUOTIENTS for edge in edges)
    return stem in DIVISIONS or (stem in PRODUCTS and by_quotient)


_QUOTIENTS = EXPONENTIALS | {"Reciprocal", "Rsqrt"}


def _cause_by_stem(evidence: Evidence, op: int, won: float) -> str | None:
    graph, stem = evidence.graph, evidence.graph.stem(op)
    made = len(graph.op(op).edges) > 1 and stem == "Mm"  # a matrix that the model makes is a weight all the same
    if stem in SUMMING and not graph.weighted[op] and not made:
        return "sum-aggregation"
    if stem in NORMALIZATIONS:
        return "norm-depth"
    if won > 0 and stem in SCALINGS and len(graph.op(op).edges) == 1 and evidence.paths.weights_above(op):
        return WEIGHTS  # a constant above 1 on what a weight made
    return WEIGHTS if graph.weighted[op] or kind_of(graph.op(op).name) in ("weight", "activation") else None


def _usual_branches(evidence: Evidence, account: Account) -> frozenset[int] | None:
    """The ops on the path that lie in residual branches which by themselves add no more than is usual.

    None where fewer branches meet than make a residual stream.
    """
    paths, graph = evidence.paths, evidence.graph
    if account.count_by_kind.get("merge", 0) < evidence.thresholds.residual_merges:
        return None
    path = list(paths.climb(account.leaf))
    place = {op: i for i, op in enumerate(path)}
    up_to = list(accumulate((paths.factor(op) or 0.0 for op in path), initial=0.0))  # a factor leads down to its op
    within = [0] * (len(path) + 1)
    for start, op in enumerate(path):
        if graph.op(op).total <= paths.ledger.sent[op]:
            continue  # nothing meets here, or what does cancels
        sums = (place[s] for s in graph.senders[op] if graph.stem(s) in SUMS and s in place)
        end = min((i for i in sums if i > start + 1), default=0)
        if end and up_to[end] - up_to[start] <= evidence.thresholds.usual_branch:
            within[start + 1] += 1  # the ops from the first above the meeting point ...
            within[end] -= 1  # ... to the last below the sum
    return frozenset(op for op, depth in zip(path, accumulate(within), strict=False) if depth > 0)


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
    "recurrent-gain": "each step back multiplies the gradient",
    "norm-depth": "each normalisation divides by less than 1, at one layer after the other",
    "exp-overflow": "an exponential multiplies, and nothing bounds what it is taken of",
    "custom-backward": "a custom Function's own backward makes it larger",
    UNKNOWN: "no single kind of factor wins half of the decades",
}


def growth_in_words(evidence: Evidence, cause: str) -> str:
    """The cause of a growth with the numbers that show it."""
    if cause == "input-scale":
        scale = number(max(evidence.references.input_scales))
        column = column_in_words(evidence)
        return f"the inputs are too large: their RMS is {scale}, and layers are initialised for about 1{column}"
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


def _worst_division(evidence: Evidence) -> Factor:
    """The division on the path of the first layer that makes its gradient grow most, and its decades."""
    return _blame(evidence).factors[0]


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
    return account_in_words(evidence, account, evidence.graph.path_of(layer))


def growth_place(evidence: Evidence, cause: str, layer: int | None) -> SourceLine | None:
    """The line to look at: the division that is to blame, else where the layer was called."""
    if cause == "small-denominator":
        return evidence.graph.source_of(_worst_division(evidence)[0])
    return evidence.layers[layer].source if layer is not None else None
