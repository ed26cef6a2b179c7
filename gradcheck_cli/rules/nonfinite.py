"""GC1xx: values that are not finite."""

from __future__ import annotations

import math

from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.measurement import Origin
from gradcheck_cli.records.report import Finding
from gradcheck_cli.rules.evidence import Evidence, Findings


def nonfinite_input(evidence: Evidence) -> Findings:
    """The batch itself holds NaN or Inf.

    Nothing that follows is the model's fault: every layer that the value reaches is poisoned. Look at
    the data: missing values read as NaN, a division by a zero standard deviation, a log of zero counts.
    Inf that harmed neither the loss nor a gradient, as in an attention mask, is left alone.
    """
    measurement = evidence.measurement
    harmed = not math.isfinite(measurement.loss) or any(p.nan_count or p.inf_count for p in measurement.parameters)
    for stats in (*measurement.inputs, *measurement.targets):
        if stats.nan_count or (stats.inf_count and harmed):
            cause = "nan-input" if stats.nan_count else "inf-input"
            yield _finding(
                "GC101",
                "nonfinite-input",
                cause,
                f"{stats.name} holds {_counts(stats.nan_count, stats.inf_count)} among {stats.numel:,} values",
                "the data is not finite before the model has seen it",
                {"nan": stats.nan_count, "inf": stats.inf_count, "values": stats.numel},
            )
            return


def nonfinite_parameter(evidence: Evidence) -> Findings:
    """A parameter is NaN or Inf before the pass.

    An earlier step diverged, a checkpoint is damaged, or memory was never initialised. The gradient
    cannot be judged until the weights are sound.
    """
    reached = not math.isfinite(evidence.measurement.loss)
    bad = [p for p in evidence.measurement.parameters if p.weight_nonfinite and (reached or p.op is not None)]
    if bad:
        yield _finding(
            "GC102",
            "nonfinite-parameter",
            "nan-parameter",
            f"{bad[0].names[0]} holds {bad[0].weight_nonfinite:,} values that are not finite"
            + (f", and {len(bad) - 1} more parameters do" if len(bad) > 1 else ""),
            "the weights were damaged before this pass",
            {"parameters": len(bad), "values": sum(p.weight_nonfinite for p in bad)},
            layers=tuple(dict.fromkeys(evidence.path_of(p.module) for p in bad)),
        )


def nonfinite_forward(evidence: Evidence) -> Findings:
    """The loss is NaN or Inf although the batch and the parameters are finite.

    The forward pass was run again op by op, and stopped at the first op whose inputs were finite and
    whose output was not. Everything after that op only passes the value on.
    """
    loss, origin = evidence.measurement.loss, evidence.measurement.origin
    if math.isfinite(loss):
        return
    if origin is None:
        yield _finding("GC103", "nonfinite-forward", "exp-overflow", f"the loss is {loss}",
                       "no single op of the replay made it", {"loss": loss})  # fmt: skip
        return
    numbers: dict[str, float | int | str] = {"loss": loss}
    if origin.smallest is not None and origin.largest is not None:
        numbers |= {"smallest_input": origin.smallest, "largest_input": origin.largest}
    yield Finding(
        code="GC103",
        rule="nonfinite-forward",
        family=Family.NONFINITE,
        severity=Severity.ERROR,
        layers=(evidence.path_of(origin.module),) if origin.module >= 0 else (),
        cause=_forward_cause(origin),
        message=f"the loss is {loss}: {origin.op} is the first op to put out {origin.produced}",
        why=_input_range(origin),
        op=origin.op,
        source=origin.source,
        evidence=numbers,
    )


def nonfinite_backward(evidence: Evidence) -> Findings:
    """The loss is finite, but a gradient is NaN or Inf.

    The op that is named received a finite gradient and sent on one that is not: its derivative does not
    exist or overflows at the values it saw. Layers below it are only poisoned by it.
    """
    if not math.isfinite(evidence.measurement.loss):
        return
    poisoned = [evidence.path_of(m) for m, layer in evidence.layers.items() if layer.nan_count or layer.inf_count]
    for index, op in enumerate(evidence.measurement.ops):
        sent = [edge.norm for edge in op.edges]
        if math.isfinite(op.total) and any(not math.isfinite(norm) for norm in sent):
            yield Finding(
                code="GC104",
                rule="nonfinite-backward",
                family=Family.NONFINITE,
                severity=Severity.ERROR,
                layers=tuple(poisoned),
                cause=_BACKWARD_CAUSES.get(op.name.partition("Backward")[0], "custom-backward"),
                message=f"the gradient of {op.name} is not finite, which poisons {len(poisoned)} layers",
                why=f"a gradient of norm {op.total:.2g} went in and {_worst(sent)} came out",
                op=op.name,
                source=evidence.source_of(index),
                evidence={"incoming_norm": op.total, "layers": len(poisoned)},
            )
            return
    if poisoned:
        yield _finding("GC104", "nonfinite-backward", "custom-backward",
                       f"the gradients of {len(poisoned)} layers are not finite", "no single op made them",
                       {"layers": len(poisoned)}, layers=tuple(poisoned))  # fmt: skip


_BACKWARD_CAUSES = {
    "Sqrt": "sqrt-zero",
    "Norm": "sqrt-zero",
    "LinalgVectorNorm": "sqrt-zero",
    "Cdist": "sqrt-zero",
    "EuclideanDist": "sqrt-zero",
    "Rsqrt": "sqrt-zero",
    "Std": "zero-variance",
    "Var": "zero-variance",
    "StdMean": "zero-variance",
    "Pow": "pow-domain",
    "Acos": "acos-boundary",
    "Asin": "acos-boundary",
    "Log": "log-zero",
    "Log2": "log-zero",
    "Log10": "log-zero",
    "Log1p": "log-zero",
    "Exp": "exp-overflow",
    "Logsumexp": "logsumexp-neginf",
    "Div": "zero-div-zero",
    "Reciprocal": "zero-div-zero",
    "Mul": "zero-times-inf",
    "Where": "where-trap",
    "Softmax": "masked-softmax-row",
    "LinalgEigh": "degenerate-eigenvalues",
    "LinalgSvd": "degenerate-eigenvalues",
    "CtcLoss": "ctc-infeasible",
}


# What an aten op's name says, tried in this order; where two causes are given, the second is for negative input.
_FORWARD_CAUSES = (
    ("binary_cross_entropy", "log-zero", "log-zero"),
    ("softmax", "masked-softmax-row", "masked-softmax-row"),
    ("scaled_dot_product", "masked-softmax-row", "masked-softmax-row"),
    ("logsumexp", "logsumexp-neginf", "logsumexp-neginf"),
    ("log", "log-zero", "log-negative"),
    ("sqrt", "sqrt-zero", "log-negative"),
    ("exp", "exp-overflow", "exp-overflow"),
    ("div", "zero-div-zero", "zero-div-zero"),
    ("reciprocal", "zero-div-zero", "zero-div-zero"),
    ("cross_entropy", "masked-loss", "masked-loss"),
    ("nll_loss", "masked-loss", "masked-loss"),
    ("ctc_loss", "ctc-infeasible", "ctc-infeasible"),
    ("acos", "acos-boundary", "acos-boundary"),
    ("asin", "acos-boundary", "acos-boundary"),
    ("atanh", "acos-boundary", "acos-boundary"),
    ("pow", "pow-domain", "pow-domain"),
    ("std", "zero-variance", "zero-variance"),
    ("var", "zero-variance", "zero-variance"),
)


def _forward_cause(origin: Origin) -> str:
    name = origin.op.strip("_")
    if any(0 in shape for shape in origin.shapes[:1]):
        return "empty-reduction"
    if name.startswith("mul") and origin.smallest == 0 == origin.largest:
        return "zero-times-inf"
    negative = origin.smallest is not None and origin.smallest < 0
    found = next((row for row in _FORWARD_CAUSES if row[0] in name), None)
    return found[1 + negative] if found else "exp-overflow"


def _input_range(origin: Origin) -> str:
    shapes = ", ".join("x".join(map(str, shape)) or "scalar" for shape in origin.shapes)
    if origin.smallest is None:
        return f"its inputs have the shapes {shapes}"
    return f"its input runs from {origin.smallest:.4g} to {origin.largest:.4g} (shapes {shapes})"


def _worst(sent: list[float]) -> str:
    return "NaN" if any(math.isnan(norm) for norm in sent) else "Inf"


def _counts(nan: int, inf: int) -> str:
    return " and ".join(f"{count:,} {name}" for count, name in ((nan, "NaN"), (inf, "Inf")) if count)


def _finding(
    code: str,
    rule: str,
    cause: str,
    message: str,
    why: str,
    numbers: dict[str, float | int | str],
    layers: tuple[str, ...] = (),
) -> Finding:
    return Finding(code=code, rule=rule, family=Family.NONFINITE, severity=Severity.ERROR, layers=layers, cause=cause,
                   message=message, why=why, evidence=numbers)  # fmt: skip
