"""GC1xx: values that are not finite."""

from __future__ import annotations

import math

from gradcheck_cli.names import plain_op
from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.measurement import WRITERS, Origin
from gradcheck_cli.records.report import Finding
from gradcheck_cli.rules.evidence import Evidence, Findings
from gradcheck_cli.rules.origins import backward_cause, forward_cause, values_of
from gradcheck_cli.rules.wording import named, number


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
                f"`{stats.name}` holds {_counts(stats.nan_count, stats.inf_count)} among {stats.numel:,} values"
                + (f", the first at {list(stats.first_bad)}" if stats.first_bad else ""),
                "the data is not finite before the model has seen it",
                {"nan": stats.nan_count, "inf": stats.inf_count, "values": stats.numel},
            )
            return


def nonfinite_parameter(evidence: Evidence) -> Findings:
    """A parameter is NaN or Inf, or a buffer NaN, before the pass.

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
            f"`{bad[0].names[0]}` holds {bad[0].weight_nonfinite:,} NaN or Inf among {bad[0].numel:,} values"
            + (f", and {len(bad) - 1} more parameters do" if len(bad) > 1 else ""),
            "the weights were damaged before this pass, by an earlier step, a checkpoint or memory that was never set",
            {"parameters": len(bad), "values": sum(p.weight_nonfinite for p in bad)},
            layers=tuple(dict.fromkeys(evidence.path_of(p.module) for p in bad)),
        )
    elif buffers := evidence.measurement.nan_buffers:
        yield _finding(
            "GC102",
            "nonfinite-parameter",
            "nan-parameter",
            f"the buffer `{buffers[0]}` holds NaN" + (f", and {len(buffers) - 1} more do" if len(buffers) > 1 else ""),
            "it was damaged before this pass, as running statistics are by one bad batch",
            {"buffers": len(buffers)},
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
        yield _finding("GC103", "nonfinite-forward", "exp-overflow", f"the loss is {number(loss)}",
                       "run again op by op, no single op made it of finite values", {"loss": loss})  # fmt: skip
        return
    message = f"the loss is {number(loss)}: {origin.op} puts out {_elements(origin)}, and is the first op to do so"
    yield _origin_finding(evidence, origin, "GC103", "nonfinite-forward", Severity.ERROR, message)


def _origin_finding(
    evidence: Evidence, origin: Origin, code: str, rule: str, severity: Severity, message: str
) -> Finding:
    cause = forward_cause(origin)
    return Finding(
        code=code,
        rule=rule,
        family=Family.NONFINITE,
        severity=severity,
        layers=(evidence.path_of(origin.module),) if origin.module >= 0 else (),
        cause=cause,
        message=message,
        why=_in_words(cause, origin),
        op=origin.op,
        source=origin.source,
        evidence={
            "loss": evidence.measurement.loss,
            "bad_elements": origin.count,
            "elements": origin.numel,
            **_range(origin),
        },
    )


def nonfinite_backward(evidence: Evidence) -> Findings:
    """The loss is finite, but a gradient is NaN or Inf.

    The op that is named received a finite gradient and sent on one that is not: its derivative does not
    exist or overflows at the values it saw. Layers below it are only poisoned by it.
    """
    if not math.isfinite(evidence.measurement.loss):
        return
    poisoned = [evidence.path_of(m) for m, layer in evidence.layers.items() if layer.nan_count or layer.inf_count]
    index = evidence.measurement.culprit
    if index is not None:
        yield _backward_finding(evidence, index, tuple(poisoned))
    elif poisoned:
        yield _finding("GC104", "nonfinite-backward", "custom-backward",
                       f"the gradients of {len(poisoned)} layers are not finite", "no single op made them",
                       {"layers": len(poisoned)}, layers=tuple(poisoned))  # fmt: skip


def _backward_finding(evidence: Evidence, index: int, poisoned: tuple[str, ...]) -> Finding:
    op, origin = evidence.op(index), evidence.measurement.origin
    cause = backward_cause(evidence, index, origin)
    sent = "NaN" if any(math.isnan(edge.norm) for edge in op.edges) else "Inf"
    return Finding(
        code="GC104",
        rule="nonfinite-backward",
        family=Family.NONFINITE,
        severity=Severity.ERROR if poisoned else Severity.WARNING,
        layers=poisoned,
        cause=cause,
        message=f"the gradient of {plain_op(op.name)} is {_elements(origin) if origin else sent}, "
        + (f"which poisons the gradient of {named(poisoned)}" if poisoned else "but reaches no parameter"),
        why=_in_words(cause, origin)
        if origin
        else f"a gradient of norm {number(op.total, 2)} went in and {sent} came out",
        op=op.name,
        source=evidence.source_of(index),
        evidence={"incoming_norm": op.total, "layers": len(poisoned)} | (_range(origin) if origin else {}),
    )


def hidden_nonfinite(evidence: Evidence) -> Findings:
    """A layer puts out NaN or Inf, and neither the loss nor a gradient shows it.

    The bad values are masked, replaced or divided away after it. Whatever they stand for is lost: no gradient comes
    back through them, and the next change to the mask lets them out. An Inf that is written on purpose, as -inf into
    attention scores or as the logarithm of a mask, is left alone.
    """
    origin = evidence.measurement.origin
    if not math.isfinite(evidence.measurement.loss) or origin is None or origin.node >= 0:
        return
    if not origin.op.startswith((*WRITERS, "log")):
        message = f"{origin.op} puts out {_elements(origin)}, and neither the loss nor a gradient shows it"
        yield _origin_finding(evidence, origin, "GC105", "hidden-nonfinite", Severity.WARNING, message)


_RULES_OF_ARITHMETIC = {
    "log-zero": "a logarithm is -Inf at 0, and its slope Inf",
    "log-negative": "a logarithm or a root is NaN below 0",
    "sqrt-zero": "a root or a norm has no finite slope at 0",
    "acos-boundary": "it is NaN outside its domain, and its slope is Inf at the ends",
    "pow-domain": "a fractional power is NaN below 0, and one below 1 has the slope Inf at 0",
    "zero-div-zero": "0 / 0 is NaN, and what is divided by 0 is Inf",
    "small-denominator": "what is divided by next to nothing overflows",
    "zero-variance": "the spread of a single value is NaN, and that of equal values has no finite slope",
    "zero-times-inf": "0 times Inf is NaN, and so is Inf - Inf",
    "masked-softmax-row": "the softmax of a row of -Inf is NaN",
    "logsumexp-neginf": "the slope of a logsumexp over nothing but -Inf is NaN",
    "empty-reduction": "the mean of nothing is NaN",
    "masked-loss": "the mean over no labels is NaN",
    "ctc-infeasible": "a target that does not fit into its input has probability 0",
    "degenerate-eigenvalues": "eigenvectors of equal eigenvalues and singular matrices have no finite gradient",
    "where-trap": "these elements are dropped later, but their gradient is made all the same, and 0 times Inf is NaN",
    "fp16-overflow": "float16 ends at 65,504",
}
"""Why values like these are not finite, by cause."""


def _in_words(cause: str, origin: Origin) -> str:
    reason = _RULES_OF_ARITHMETIC.get(cause)
    return f"{reason}: {values_of(origin)}" if reason else values_of(origin)


def _elements(origin: Origin) -> str:
    name = {"nan": "NaN", "inf": "Inf"}[origin.produced]
    return name if origin.numel == 1 else f"{name} at {origin.count:,} of {origin.numel:,} elements"


def _range(origin: Origin) -> dict[str, float | int | str]:
    known = next((o for o in origin.operands if o.smallest is not None and o.largest is not None), None)
    return {"smallest_input": known.smallest or 0.0, "largest_input": known.largest or 0.0} if known else {}


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
