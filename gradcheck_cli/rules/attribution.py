"""What took most of a gradient: each factor by what makes it small, and the cause that explains half of it.

A cause is what explains the decades (THEORY.md, section 4c): there is none by default, and where nothing explains half
of them, it is unknown.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from gradcheck_cli.records.enquiry import FunctionTest
from gradcheck_cli.records.group import Group
from gradcheck_cli.records.ops import (
    BOUNDED,
    EXPONENTIALS,
    NORMALIZATIONS,
    PRODUCTS,
    SCALINGS,
    SIGMOIDS,
    SOFTMAXES,
    SPLITS,
    VIEW_LIKE,
    is_custom,
    kind_of,
)
from gradcheck_cli.rules.accountwords import slope_words
from gradcheck_cli.words import counted, joined, number

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

UNKNOWN = "unknown"
"""The cause where nothing explains half of the decades."""
WEIGHTS = "weights"
"""What weights and the activations between them do to the scale of a gradient, before it is told how."""
SCALE_OF_THE_LOSS = "scale of the loss"
"""What all layers have in common, or this one with a layer that is well: it explains nothing."""
_NOT_TO_BLAME = "group "
Factor = tuple[int, float]
"""An op and the decades that it makes of the gradient."""


class Blame(NamedTuple):
    """A cause, and the factors that it stands for, the one that took most first; none for an unknown cause."""

    cause: str
    factors: tuple[Factor, ...] = ()

    @property
    def decades(self) -> float:
        """What they make of the gradient together."""
        return sum(decades for _, decades in self.factors)


def blamed(evidence: Evidence, groups: Sequence[Group]) -> Blame:
    """What took at least half of the decades that a gradient lost, beside what it shares with a layer that is well."""
    parts = sorted_out(groups, partial(_cause, evidence))
    blame = largest(parts, evidence.thresholds.explaining_share, sign=-1)
    return blame._replace(cause=_by_the_weights(evidence, blame.factors)) if blame.cause == WEIGHTS else blame


Parts = Mapping[str, Sequence[Factor]]


def sorted_out(groups: Sequence[Group], cause: Callable[[Group, int, float], str | None]) -> Parts:
    """The factors of all groups by their causes; those of none by their group, as parts that cannot be blamed."""
    parts: dict[str, list[Factor]] = defaultdict(list)
    for place, group in enumerate(groups):
        for op, decades in group.factors:
            parts[cause(group, op, decades) or f"{_NOT_TO_BLAME}{place}"].append((op, decades))
    return parts


def largest(parts: Parts, share: float, sign: int = 1) -> Blame:
    """What makes up at least this share of the decades that were won, or with a sign of -1 lost.

    Each part counts by its sum, if that has this sign: what is lost and won again by the same means is not lost. A
    normalisation undoes the scale of the weights, so the two count by what is left of them.
    """
    net = {part: sign * sum(decades for _, decades in factors) for part, factors in parts.items()}
    net.pop(SCALE_OF_THE_LOSS, None)
    net = _offset(net)
    whole = sum(max(decades, 0.0) for decades in net.values())
    first = max(net, key=lambda part: net[part], default=UNKNOWN)
    if not whole or net[first] < share * whole or first.startswith(_NOT_TO_BLAME):
        return Blame(UNKNOWN)
    return Blame(first, tuple(sorted(parts[first], key=lambda factor: -sign * factor[1])))


def _offset(net: Mapping[str, float]) -> dict[str, float]:
    """Decades by part, where what a normalisation undoes of the scale of the weights is nobody's."""
    weights, norms = net.get(WEIGHTS, 0.0), net.get("norm-depth", 0.0)
    if weights * norms >= 0:
        return dict(net)
    left = weights + norms  # all of it is what the larger of the two is left with
    larger = WEIGHTS if abs(weights) > abs(norms) else "norm-depth"
    return {**net, WEIGHTS: 0.0, "norm-depth": 0.0, larger: left}


_BY_GROUP = {"shared": SCALE_OF_THE_LOSS, "merge": None, "step": "bptt-decay"}
"""What the kind of a group says by itself."""
_BY_STEM = {**dict.fromkeys(EXPONENTIALS, "exp-underflow"), **dict.fromkeys(NORMALIZATIONS, "norm-depth")}


def _cause(evidence: Evidence, group: Group, op: int, decades: float) -> str | None:
    """What a factor is an instance of; None where that is no cause of anything by itself."""
    name = evidence.graph.op(op).name
    alone = decades < -evidence.thresholds.slower_decades / 2  # one op took half of what makes a layer slow
    if alone and group.kind not in ("shared", "merge") and _is_gate(evidence, op):
        return "gate-closed"
    if group.kind in _BY_GROUP:
        return _BY_GROUP[group.kind]
    if is_custom(name):
        return "saturating-activation" if is_true(evidence, op) else "custom-backward"
    if evidence.graph.stem(op) in BOUNDED or (alone and kind_of(name) == "activation"):
        return "saturating-activation"
    return _cause_by_stem(evidence, op, alone)


def _cause_by_stem(evidence: Evidence, op: int, alone: bool) -> str | None:
    graph, stem = evidence.graph, evidence.graph.stem(op)
    if stem in SOFTMAXES:
        return "softmax-saturation" if _is_one_hot(evidence, op) else None
    if stem in SCALINGS:
        constant = len(graph.op(op).edges) == 1 or graph.weighted[op]
        term = evidence.paths.weights_above(op) == 0  # the weight of one of the loss's terms
        return "residual-scale" if (constant or alone) and not term else None
    return _BY_STEM.get(stem) or (WEIGHTS if kind_of(graph.op(op).name) in ("weight", "activation") else None)


def _by_the_weights(evidence: Evidence, factors: Iterable[Factor]) -> str:
    """Whether the weights are too small, or too many."""
    owned = [decades for op, decades in factors if kind_of(evidence.graph.op(op).name) == "weight"]
    small = bool(owned) and sum(owned) / len(owned) < evidence.thresholds.small_gain
    return "small-init" if small else "depth"


def is_true(evidence: Evidence, op: int) -> bool:
    """Whether a custom Function's backward was held against differences of its forward, and they agree."""
    limits = evidence.thresholds
    return any(
        test.op == op
        and test.decades is not None
        and abs(test.decades) < limits.true_decades
        and test.alike > limits.true_likeness
        for test in evidence.enquiry.functions
    )


def _is_one_hot(evidence: Evidence, op: int) -> bool:
    """Whether a softmax is saturated: one that is near uniform also passes little, but recovers."""
    lens = evidence.graph.lenses.get(op)
    return lens is not None and (lens.saturated or 0.0) > evidence.thresholds.one_hot_share


# ---------------------------------------------------------------- words


def taken_in_words(evidence: Evidence, groups: Sequence[Group], blame: Blame) -> str:
    """What took the decades that are blamed: how many ops of what name, or how many steps of which module."""
    ops = [op for op, _ in blame.factors]
    if blame.cause == "bptt-decay":
        steps = [group for group in groups if group.kind == "step"]
        return joined([f"{counted(g.count, 'step')} of `{evidence.graph.path_of(g.modules[0])}`" for g in steps])
    if blame.cause == "custom-backward":
        return f"the backward of {evidence.graph.maker_of(ops[0])}{_tested(evidence, ops[0])}"
    if blame.cause == "norm-depth":
        return counted(len(ops), "normalisation")
    if any(is_true(evidence, op) for op in ops):
        return f"{evidence.graph.maker_of(ops[0])}, which is that flat: its backward agrees with its forward"
    if blame.cause == "saturating-activation":
        return slope_words(evidence, ops)
    return f"{evidence.graph.maker_of(ops[0])}{_FAR_BELOW if blame.cause == 'exp-underflow' else ''}"


_FAR_BELOW = ", which is next to 0 as what goes in is far below 0"


def _tested(evidence: Evidence, op: int) -> str:
    """What differences of a custom Function's forward say of its backward, where they were taken."""
    found = next((test for test in evidence.enquiry.functions if test.op == op and _tells(test)), None)
    if found is None:
        return ""
    return (
        f", which gives {number(10 ** (found.decades or 0.0), 2)} times what differences of its forward give"
        f"{f', at a cosine of {found.alike:.2f}' if found.alike < evidence.thresholds.true_likeness else ''}"
    )


# ---------------------------------------------------------------- gates


def _is_gate(evidence: Evidence, op: int) -> bool:
    """Whether an op gates a signal, or is the sigmoid of a gate."""
    stem = evidence.graph.stem(op)
    if stem == "Glu":
        return True
    if stem in BOUNDED:
        return evidence.graph.gates(op)
    return stem in PRODUCTS and any(_leads_to_sigmoid(evidence, edge.to) for edge in evidence.graph.op(op).edges)


_PASSED_BY_A_GATE = VIEW_LIKE | SPLITS | {"Sub", "Rsub"}
"""What may lie between a sigmoid and the product that it gates, as in 1 - sigmoid(x)."""
_GATE_REACH = 4


def _leads_to_sigmoid(evidence: Evidence, index: int) -> bool:
    for _ in range(_GATE_REACH):
        op = evidence.graph.op(index)
        if op.stem in SIGMOIDS:
            return True
        if not op.edges or op.stem not in _PASSED_BY_A_GATE:
            return False
        index = op.edges[0].to
    return False


def _tells(test: FunctionTest) -> bool:
    """Whether both the forward and the backward of a Function gave something to compare."""
    return test.decades is not None and math.isfinite(test.decades)
