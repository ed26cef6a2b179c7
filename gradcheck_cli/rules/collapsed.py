"""GC207: a signal that tells no sample from another when it arrives at the head."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from gradcheck_cli.records.choices import About
from gradcheck_cli.records.enquiry import Distinct
from gradcheck_cli.records.ops import (
    AGGREGATIONS,
    ATTENTION_PRODUCTS,
    BOUNDED,
    EXPONENTIALS,
    MATRIX_PRODUCTS,
    NORMALIZATIONS,
)
from gradcheck_cli.records.traits import Trait
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import counted, named, number, times

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


class _Fall(NamedTuple):
    """Where D falls: the layers that it falls over, in decades; how many steps that takes, and where it is nothing."""

    above: Distinct
    below: Distinct
    decades: float
    steps: int

    @property
    def at_once(self) -> bool:
        return self.steps == 1


def collapsed_signal(evidence: Evidence) -> Diagnoses:
    """All samples have become one and the same by the time they reach the layer that predicts.

    Distinguishability, the share of a signal that differs between samples, falls by a constant factor a layer in a
    deep net in the ordered phase (Schoenholz et al. 2017, arXiv:1611.01232), or at once in an op that is flat. The
    scale of the activations shows nothing, since biases hold it up. The layers below cannot learn what the head cannot
    see. Where one position of each sample is read that is the same in all, down to rounding, nothing has brought the
    others there: a Transformer without `batch_first=True` lets samples attend to each other in place of positions.
    """
    if not evidence.collapsing or evidence.has_learned or _opens(evidence):
        return
    fall = _fall(evidence)
    if fall is None:
        return
    spread, between = _left(evidence)
    layers = _starved(evidence, fall)
    names = tuple(evidence.graph.path_of(m) for m in layers)
    cause, why, op = _cause(evidence, fall)
    clear = spread < evidence.thresholds.collapsed_distinguishability and not evidence.collapsing_in_part
    yield Diagnosis(
        layers=names,
        cause=cause,
        message=f"all {between} become the same on their way up: only {number(spread, 1)} of what "
        f"`{evidence.predictor}` gets still differs between them, so {named(names)} cannot learn to tell them apart",
        why=why,
        op=op,
        source=None if op is not None else fall.below.source,
        numbers={
            "distinguishability": spread,
            "decades": -fall.decades,
            "layers_of_fall": fall.steps,
        },
        doubt=None if clear else About.WHOLE,
    )


def collapse_in_words(evidence: Evidence) -> str:
    """What a loss of the gradient looks like on the way forward, where samples become one; empty where they do not."""
    if not evidence.collapsing:
        return ""
    spread, between = _left(evidence)
    return f"; forward, only {number(spread, 1)} of what reaches `{evidence.predictor}` differs between {between}"


def _left(evidence: Evidence) -> tuple[float, str]:
    """The share of the heads' input that differs, and between what it does."""
    if not evidence.collapsing_in_part:
        return max(h.distinguishability or 0.0 for h in evidence.measurement.heads), "samples"
    return max(
        (h.apart or 0.0, f"{h.between} of a sample" if h.between == "positions" else h.between)
        for h in evidence.measurement.heads
    )


def _opens(evidence: Evidence) -> bool:
    """Whether a gate that starts at 0, or a small one that learns, holds the signal back for now."""
    accounts = [evidence.paths.strongest(m) for m in evidence.trainable]
    return evidence.opens or any(a is not None and a.leaf in evidence.behind_gates for a in accounts)


def _fall(evidence: Evidence) -> _Fall | None:
    """Where D falls; None where the batch itself tells no sample from another, or it was not seen by depth."""
    profile, limits = evidence.enquiry.profile, evidence.thresholds
    if evidence.collapsing_in_part:
        profile = tuple(d._replace(distinguishability=d.apart) for d in profile if d.apart is not None)
    start = next((i for i, d in enumerate(profile) if d.distinguishability >= limits.faint_distinguishability), None)
    if start is None:
        return None
    last = max(i for i, d in enumerate(profile) if d.distinguishability >= limits.faint_distinguishability)
    if last + 1 >= len(profile):
        return None
    drops = [math.log10(a.distinguishability / b.distinguishability) for a, b in pairwise(profile[: last + 2])]
    end = last + 1
    whole = math.log10(max(d.distinguishability for d in profile[: last + 1]) / profile[end].distinguishability)
    if drops[-1] >= whole / 2:
        return _Fall(profile[last], profile[end], drops[-1], 1)
    first = max(range(last + 1), key=lambda i: profile[i].distinguishability)
    return _Fall(profile[first], profile[end], whole, end - first)


def _starved(evidence: Evidence, fall: _Fall) -> list[int]:
    """The layers that were used before nothing was left."""
    positions = {m: evidence.paths.position(m) for m in evidence.trainable}
    end = positions.get(fall.below.module, math.inf)
    before = [m for m in evidence.trainable if positions[m] < end]
    return sorted(before or evidence.trainable, key=lambda m: positions[m])


def _cause(evidence: Evidence, fall: _Fall) -> tuple[str, str, int | None]:
    """The cause, in words, and the op to blame where it is one."""
    above, below = (evidence.graph.path_of(d.module) for d in (fall.above, fall.below))
    if fall.at_once:
        told = f"the share that differs gets {times(fall.decades)} smaller between `{above}` and `{below}`"
        for cause, stems, words in _FLAT:
            op = _between(evidence, fall, stems)
            if op is not None:
                return cause, f"{told}: {words.format(evidence.graph.maker_of(op))}", op
        op = _between(evidence, fall, _ONE_POSITION)
        if op is not None and all((h.distinguishability or 0.0) <= h.floor for h in evidence.measurement.heads):
            return "wrong-dim", f"{told}: {evidence.graph.maker_of(op)} {_READS_ONE}", op
        return "collapsed", told, None
    each = fall.decades / fall.steps
    start, end = fall.above.distinguishability, fall.below.distinguishability
    steps = counted(fall.steps, "weight matrix", "weight matrices")
    told = (
        f"the share that differs gets {times(each)} smaller at each of {steps}, from {number(start, 2)} at `{above}` "
        f"to {number(end, 1)} at `{below}`"
    )
    cause, words = _by_depth(evidence, each)
    return cause, f"{told}{words}", None


def _by_depth(evidence: Evidence, each: float) -> tuple[str, str]:
    """What stands behind most weights and makes samples one a little at each, by `each` decades of D."""
    if 2 * len(_mixing(evidence)) >= len(evidence.enquiry.profile):
        return "over-smoothing", ", since each layer averages neighbours"
    most = evidence.thresholds.explaining_share
    if Trait.RESIDUAL not in evidence.traits and _share(evidence, ATTENTION_PRODUCTS) >= most:
        return "no-residual", ", since each attention averages what it is given, and nothing leads past it"
    for cause, stems, words in _BY_DEPTH:
        if _share(evidence, stems) >= most:
            return cause, f", since {words}"
    if -each / 2 < evidence.thresholds.small_gain:  # D is of squares
        return "small-init", ", since the weights are so small that biases alone are left"
    return "collapsed", ""


def _mixing(evidence: Evidence) -> list[int]:
    """The products by a constant matrix and the sums over neighbours, each of which mixes nodes."""
    graph = evidence.graph
    products = (i for i, op in enumerate(evidence.measurement.ops) if op.stem in MATRIX_PRODUCTS and len(op.edges) == 1)
    return [i for i in products if not graph.weighted[i]] + [
        i for i, op in enumerate(evidence.measurement.ops) if op.stem in AGGREGATIONS
    ]


_FLAT = (
    ("exp-underflow", EXPONENTIALS, "{} is 0, or next to it, for all of them"),
    ("saturating-activation", BOUNDED, "{} is flat for all of them"),
)
"""By cause, the ops that make samples one at once, and how that is told."""
_ONE_POSITION = frozenset(("Select",))
_READS_ONE = (
    "takes one position of each sample, and what stands there has nothing of the others: what should bring positions "
    "together, as attention does, runs over another dimension, or does not let this one see them"
)
_BY_DEPTH = (
    ("norm-depth", NORMALIZATIONS, "each layer normalises the sum of what it was given and what it made of it"),
    ("saturating-activation", BOUNDED, "each bounded activation is near its linear part, and biases take over"),
)
"""By cause, the ops that make samples one over many layers where they stand behind most weights."""


def _between(evidence: Evidence, fall: _Fall, stems: frozenset[str]) -> int | None:
    """The first op of these stems that was made between two layers."""
    positions = [evidence.paths.position(d.module) for d in (fall.above, fall.below)]
    low, high = positions if positions[0] < positions[1] else (-1.0, positions[1])
    ops = enumerate(evidence.measurement.ops)
    found = [(op.sequence, i) for i, op in ops if op.stem in stems and low <= op.sequence <= high]
    return max(((at, i) for at, i in found if _may_be_flat(evidence, i)), default=(0, None))[1]


def _may_be_flat(evidence: Evidence, op: int) -> bool:
    """Whether nothing says that an op has a slope: half of a flat activation's elements at least are saturated."""
    lens = evidence.graph.lenses.get(op)
    return lens is None or lens.saturated is None or lens.saturated >= evidence.thresholds.explaining_share


def _share(evidence: Evidence, stems: frozenset[str]) -> float:
    """Ops of these stems for each product by a weight of the profile."""
    found = sum(op.stem in stems for op in evidence.measurement.ops)
    return found / max(len(evidence.enquiry.profile), 1)
