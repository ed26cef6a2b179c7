"""GC204, GC205 and GC404: a softmax or a normalisation that lets nothing through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Lens
from gradcheck_cli.records.ops import LEAF, RECTIFIERS, VIEW_LIKE, plain_op
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import named, number, percent

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def softmax_saturated(evidence: Evidence) -> Diagnoses:
    """A softmax inside the model is one-hot for nearly every row, so almost no gradient passes through it.

    Attention without the 1/sqrt(d) scale, or logits that grew: the scores' gradient is p (1 - p), which
    is zero at both ends.
    """
    limits = evidence.thresholds
    for lens in evidence.measurement.lenses:
        share, passed = lens.saturated or 0.0, _passed(evidence, lens)
        if lens.kind != "softmax" or lens.length == 1 or share < limits.one_hot_share or passed is None:
            continue
        if passed < limits.one_hot_passes:
            op = evidence.graph.op(lens.op)
            layer = evidence.graph.path_of(op.module)
            yield Diagnosis(
                layers=(layer,),
                cause="softmax-saturation",
                message=f"the softmax in `{layer}` is one-hot for {percent(share)} of its rows, so the layers that "
                "make its scores hardly learn",
                why=f"{number(passed, 2) if passed else 'nothing'} of a gradient of norm {number(op.total, 2)} reaches "
                "its scores, which are too far apart",
                op=lens.op,
                numbers={"saturated_share": share, "passed": passed},
            )
            return


def _passed(evidence: Evidence, lens: Lens) -> float | None:
    """The share of its gradient that an op sends to its first input; None where none came, or it has no input."""
    op = evidence.graph.op(lens.op)
    return op.edges[0].norm / op.total if op.edges and op.total else None


_NO_LOGITS = {"LogSoftmax": ("Softmax", "Sigmoid"), "BinaryCrossEntropyWithLogits": ("Sigmoid",)}
"""By the op of a loss that takes logits, what puts out probabilities."""


def double_softmax(evidence: Evidence) -> Diagnoses:
    """A softmax (or sigmoid) is applied to what the loss applies one to again.

    `cross_entropy` and `binary_cross_entropy_with_logits` take logits. Given probabilities, of a softmax or of
    sigmoids, the loss cannot fall below ln(1 + (C - 1)/e) and its gradient is a fraction of what it should be.
    """
    for op in evidence.measurement.ops:
        probable = _NO_LOGITS.get(op.stem)
        if probable is None or not op.edges:
            continue
        child = op.edges[0].to
        while evidence.graph.stem(child) in VIEW_LIKE and evidence.graph.op(child).edges:
            child = evidence.graph.op(child).edges[0].to
        below = evidence.graph.op(child)
        if below.stem in probable:
            inner = below.stem
            passed = below.edges[0].norm / below.total if below.edges and below.total else 0.0
            yield Diagnosis(
                cause="double-sigmoid" if inner == "Sigmoid" else "double-softmax",
                message=f"the loss applies {plain_op(op.name)} to the output of a {inner.lower()}: it gets "
                "probabilities where it takes logits",
                why=f"the gradient is squeezed twice: {number(passed, 2)} of what leaves the loss gets past "
                f"the {inner.lower()}",
                op=child,
                numbers={"passed": passed},
            )
            return


def single_element(evidence: Evidence) -> Diagnoses:
    """A softmax or a normalisation runs over a single element, so its output is a constant.

    The softmax of one number is 1 and the normalised value of one number is 0, whatever the number is:
    nothing below it can learn. Usually the wrong `dim`, or a batch or spatial size of one. Where all below that has a
    matrix learns by another way, it is a note; data that it makes constant are lost.
    """
    for lens in evidence.measurement.lenses:
        if lens.length == 1 and lens.kind != "loss" and _is_constant(evidence, lens):
            yield _over_one_element(evidence, lens)
            return


def _is_constant(evidence: Evidence, lens: Lens) -> bool:
    """Whether nothing but rounding passes an op over one element, and something was meant to."""
    if not evidence.graph.op(lens.op).total and not _feeds_a_rectifier(evidence, lens.op):
        return False
    if (_passed(evidence, lens) or 0.0) > evidence.thresholds.constant_passes:
        return False
    short = lens.kind == "softmax" and _weighs_values(evidence, lens.op)
    return not short or _single_unit_below(evidence, lens.op)


def _over_one_element(evidence: Evidence, lens: Lens) -> Diagnosis:
    op, passed = evidence.graph.op(lens.op), _passed(evidence, lens) or 0.0
    maker, softmax = evidence.graph.maker_of(lens.op), lens.kind == "softmax"
    below = _starved(evidence, lens.op) or ([op.module] if op.module >= 0 else [])
    layers = tuple(evidence.graph.path_of(m) for m in below)
    left = f"only rounding leaves it, {number(passed, 1)} of that" if passed else "nothing leaves it"
    lost = not softmax and all(evidence.graph.op(edge.to).name == LEAF for edge in op.edges)
    matters = op.total == 0 or lost or any(evidence.graph.has_matrix(m) for m in below)
    outcome = f"{named(layers) or 'nothing below it'} {'cannot' if layers else 'can'} learn"
    return Diagnosis(
        severity=None if matters else Severity.NOTE,
        layers=layers,
        cause="single-element-softmax" if softmax else "single-element-norm",
        message=f"a {'softmax' if softmax else 'normalisation'} over a single element puts out a constant, so "
        f"{'the data that go into ' + named(layers) + ' are lost' if lost and layers else outcome}",
        why=f"a gradient of norm {number(op.total, 2)} arrives at {maker}, and {left}"
        if op.total
        else f"the constant that {maker} puts out turns the rectifier after it off",
        op=lens.op,
        numbers={"passed": passed, "layers": len(layers)},
    )


def _feeds_a_rectifier(evidence: Evidence, op: int) -> bool:
    """Whether the constant, which is often 0, turned a rectifier off, so that not even this op gets a gradient."""
    above = {op}
    for _ in range(4):
        above = {s for i in above for s in evidence.graph.senders[i]}
        if any(evidence.graph.stem(i) in RECTIFIERS and evidence.graph.op(i).total for i in above):
            return True
        above = {i for i in above if evidence.graph.stem(i) in VIEW_LIKE}
    return False


_WEIGHS = frozenset(("Bmm", "Baddbmm", "Mm", "Mul"))
"""What an attention's weights meet its values in."""


def _weighs_values(evidence: Evidence, op: int) -> bool:
    """Whether a softmax is an attention's, where a single key is only a short sequence."""
    above = {op}
    for _ in range(6):
        above = {s for i in above for s in evidence.graph.senders[i]}
        if any(evidence.graph.stem(i) in _WEIGHS for i in above):
            return True
    return False


def _single_unit_below(evidence: Evidence, op: int) -> bool:
    """Whether the single element is the only output of a layer: then the softmax runs over the wrong dim."""
    while evidence.graph.op(op).edges:
        op = evidence.graph.op(op).edges[0].to
        parameters = [evidence.measurement.parameters[i] for i in evidence.graph.parameters_under(op)]
        matrices = [p for p in parameters if len(p.shape) >= 2]
        if matrices or evidence.graph.stem(op) not in VIEW_LIKE:
            return any(p.shape[0] == 1 for p in matrices)
    return False


def _starved(evidence: Evidence, op: int) -> list[int]:
    """The layers whose gradient comes through an op, or is held up there entirely."""
    through, held_up = evidence.paths.under(op), evidence.blocking.starved_at(op)
    accounts = {m: evidence.paths.strongest(m) for m in evidence.layers}
    return [m for m, account in accounts.items() if (through[account.leaf] if account else m in held_up)]
