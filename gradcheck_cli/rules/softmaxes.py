"""GC204, GC205 and GC404: a softmax or a normalisation that lets nothing through."""

from __future__ import annotations

from gradcheck_cli.names import plain_op
from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.report import Finding
from gradcheck_cli.rules.evidence import VIEW_LIKE, Evidence, Findings
from gradcheck_cli.rules.wording import named, number, percent
from gradcheck_cli.rules.zeros import RECTIFIERS, blockers_of

_ONE_HOT, _PASSES = 0.5, 1e-4
"""Share of one-hot rows, and of the gradient that is passed on. A uniform row of n passes 1/n; no healthy model of
the calibration corpus has more than a third of its rows one-hot."""


def softmax_saturated(evidence: Evidence) -> Findings:
    """A softmax inside the model is one-hot for nearly every row, so almost no gradient passes through it.

    Attention without the 1/sqrt(d) scale, or logits that grew: the scores' gradient is p (1 - p), which
    is zero at both ends.
    """
    for lens in evidence.measurement.lenses:
        op = evidence.op(lens.op)
        if (
            lens.kind != "softmax"
            or (lens.saturated or 0) < _ONE_HOT
            or not op.total
            or not op.edges
            or lens.length == 1
        ):
            continue
        passed = op.edges[0].norm / op.total
        if passed < _PASSES:
            layers = (evidence.path_of(op.module),)
            yield Finding(
                code="GC204",
                rule="softmax-saturated",
                family=Family.VANISHING,
                severity=Severity.ERROR,
                layers=layers,
                cause="softmax-saturation",
                message=f"the softmax in `{layers[0]}` is one-hot for {percent(lens.saturated or 0.0)} of its rows, so "
                "the layers that make its scores hardly learn",
                why=f"{number(passed, 2) if passed else 'nothing'} of a gradient of norm {number(op.total, 2)} reaches "
                "its scores, which are too far apart",
                op=op.name,
                source=evidence.source_of(lens.op),
                evidence={"saturated_share": lens.saturated or 0.0, "passed": passed},
            )
            return


def double_softmax(evidence: Evidence) -> Findings:
    """A softmax (or sigmoid) is applied to what the loss applies it to again.

    `cross_entropy` and `binary_cross_entropy_with_logits` take logits. Given probabilities, the loss
    cannot fall below ln(1 + (C - 1)/e) and its gradient is a fraction of what it should be.
    """
    for op in evidence.measurement.ops:
        inner = {"LogSoftmax": "Softmax", "BinaryCrossEntropyWithLogits": "Sigmoid"}.get(
            op.name.partition("Backward")[0]
        )
        if inner is None or not op.edges:
            continue
        child = op.edges[0].to
        while evidence.op(child).name.startswith(VIEW_LIKE) and evidence.op(child).edges:
            child = evidence.op(child).edges[0].to
        below = evidence.op(child)
        if below.name.startswith(inner):
            passed = below.edges[0].norm / below.total if below.edges and below.total else 0.0
            yield Finding(
                code="GC205",
                rule="double-softmax",
                family=Family.VANISHING,
                severity=Severity.ERROR,
                layers=(),
                cause="double-softmax",
                message=f"the loss applies {plain_op(op.name)} to the output of a {inner.lower()}: it gets "
                "probabilities where it takes logits",
                why=f"the gradient is squeezed twice: {number(passed, 2)} of what leaves the loss gets past "
                f"the {inner.lower()}",
                op=below.name,
                source=evidence.source_of(child),
                evidence={"passed": below.total},
            )
            return


_NOISE = 1e-3
"""What rounding leaves of a gradient that is zero by algebra."""


def single_element(evidence: Evidence) -> Findings:
    """A softmax or a normalisation runs over a single element, so its output is a constant.

    The softmax of one number is 1 and the normalised value of one number is 0, whatever the number is:
    nothing below it can learn. Usually the wrong `dim`, or a batch or spatial size of one.
    """
    for lens in evidence.measurement.lenses:
        op = evidence.op(lens.op)
        if lens.length != 1 or lens.kind == "loss" or not (op.total or _feeds_a_rectifier(evidence, lens.op)):
            continue
        passed = op.edges[0].norm / op.total if op.edges and op.total else 0.0
        if passed > _NOISE:
            continue
        below = [m for m in evidence.layers if _starves(evidence, m, lens.op)]
        layers = tuple(evidence.path_of(m) for m in below or ([op.module] if op.module >= 0 else []))
        kind = "softmax" if lens.kind == "softmax" else "normalisation"
        if kind == "softmax" and _weighs_values(evidence, lens.op) and not _single_unit_below(evidence, lens.op):
            continue
        yield Finding(
            code="GC404",
            rule="single-element",
            family=Family.NO_GRADIENT,
            severity=Severity.ERROR,
            layers=layers,
            cause="single-element-softmax" if lens.kind == "softmax" else "single-element-norm",
            message=f"a {kind} over a single element puts out a constant, so {named(layers) or 'nothing below it'} "
            f"{'cannot' if layers else 'can'} learn",
            why=f"a gradient of norm {number(op.total, 2)} arrives at {evidence.maker_of(lens.op)}, and "
            + (f"only rounding leaves it, {number(passed, 1)} of that" if passed else "nothing leaves it")
            if op.total
            else f"the constant that {evidence.maker_of(lens.op)} puts out turns the rectifier after it off",
            op=op.name,
            source=evidence.source_of(lens.op),
            evidence={"passed": passed, "layers": len(layers)},
        )
        return


def _feeds_a_rectifier(evidence: Evidence, op: int) -> bool:
    """Whether the constant, which is often 0, turned a rectifier off, so that not even this op gets a gradient."""
    above = {op}
    for _ in range(4):
        above = {s for i in above for s in evidence.senders.get(i, ())}
        if any(evidence.op(i).name.startswith(RECTIFIERS) and evidence.op(i).total for i in above):
            return True
        above = {i for i in above if evidence.op(i).name.startswith(VIEW_LIKE)}
    return False


def _weighs_values(evidence: Evidence, op: int) -> bool:
    """Whether a softmax is an attention's, where a single key is only a short sequence."""
    above = {op}
    for _ in range(6):
        above = {s for i in above for s in evidence.senders.get(i, ())}
        if any(evidence.op(i).name.startswith(("Bmm", "Baddbmm", "Mm", "Mul")) for i in above):
            return True
    return False


def _single_unit_below(evidence: Evidence, op: int) -> bool:
    """Whether the single element is the only output of a layer: then the softmax runs over the wrong dim."""
    while evidence.op(op).edges:
        op = evidence.op(op).edges[0].to
        parameters = [evidence.measurement.parameters[i] for i in evidence.parameters_under(op)]
        matrices = [p for p in parameters if len(p.shape) >= 2]
        if matrices or not evidence.op(op).name.startswith(VIEW_LIKE):
            return any(p.shape[0] == 1 for p in matrices)
    return False


def _starves(evidence: Evidence, module: int, op: int) -> bool:
    """Whether a layer's gradient comes through an op, or is held up there entirely."""
    account = evidence.strongest(module)
    return op in evidence.climb(account.leaf) if account else op in blockers_of(evidence, module)
