"""GC1xx: values that are not finite."""

from __future__ import annotations

import math

from gradcheck_cli.names import plain_op
from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.measurement import Origin
from gradcheck_cli.records.report import Finding
from gradcheck_cli.rules.accounts import named
from gradcheck_cli.rules.evidence import Evidence, Findings
from gradcheck_cli.rules.origins import backward_cause, forward_cause, values_of


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
                f"{stats.name} holds {_counts(stats.nan_count, stats.inf_count)} among {stats.numel:,} values"
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
            f"{bad[0].names[0]} holds {bad[0].weight_nonfinite:,} values that are not finite"
            + (f", and {len(bad) - 1} more parameters do" if len(bad) > 1 else ""),
            "the weights were damaged before this pass",
            {"parameters": len(bad), "values": sum(p.weight_nonfinite for p in bad)},
            layers=tuple(dict.fromkeys(evidence.path_of(p.module) for p in bad)),
        )
    elif buffers := evidence.measurement.nan_buffers:
        yield _finding(
            "GC102",
            "nonfinite-parameter",
            "nan-parameter",
            f"the buffer {buffers[0]} holds NaN" + (f", and {len(buffers) - 1} more do" if len(buffers) > 1 else ""),
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
        yield _finding("GC103", "nonfinite-forward", "exp-overflow", f"the loss is {loss}",
                       "no single op of the replay made it", {"loss": loss})  # fmt: skip
        return
    yield Finding(
        code="GC103",
        rule="nonfinite-forward",
        family=Family.NONFINITE,
        severity=Severity.ERROR,
        layers=(evidence.path_of(origin.module),) if origin.module >= 0 else (),
        cause=forward_cause(origin),
        message=f"the loss is {loss}: {origin.op} puts out {_elements(origin)}, and is the first op to do so",
        why=values_of(origin),
        op=origin.op,
        source=origin.source,
        evidence={"loss": loss, "bad_elements": origin.count, "elements": origin.numel, **_range(origin)},
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
            origin = evidence.measurement.origin
            known = origin if origin is not None and origin.node == index else None
            yield Finding(
                code="GC104",
                rule="nonfinite-backward",
                family=Family.NONFINITE,
                severity=Severity.ERROR if poisoned else Severity.WARNING,
                layers=tuple(poisoned),
                cause=backward_cause(evidence, index, known),
                message=f"the gradient of {plain_op(op.name)} is {_elements(known) if known else _worst(sent)}, "
                + _harm(poisoned),
                why=values_of(known)
                if known
                else f"a gradient of norm {op.total:.2g} went in and {_worst(sent)} came out",
                op=op.name,
                source=evidence.source_of(index),
                evidence={"incoming_norm": op.total, "layers": len(poisoned)} | (_range(known) if known else {}),
            )
            return
    if poisoned:
        yield _finding("GC104", "nonfinite-backward", "custom-backward",
                       f"the gradients of {len(poisoned)} layers are not finite", "no single op made them",
                       {"layers": len(poisoned)}, layers=tuple(poisoned))  # fmt: skip


def hidden_nonfinite(evidence: Evidence) -> Findings:
    """A layer puts out NaN or Inf, and neither the loss nor a gradient shows it.

    The bad values are masked, replaced or divided away after it. Whatever they stand for is lost: no gradient comes
    back through them, and the next change to the mask lets them out. An Inf that is written on purpose, as -inf into
    attention scores or as the logarithm of a mask, is left alone.
    """
    origin = evidence.measurement.origin
    if not math.isfinite(evidence.measurement.loss) or origin is None or origin.node >= 0:
        return
    if origin.op.startswith(("masked_fill", "where", "fill", "full", "new_full", "masked_scatter", "log")):
        return
    yield Finding(
        code="GC105",
        rule="hidden-nonfinite",
        family=Family.NONFINITE,
        severity=Severity.WARNING,
        layers=(evidence.path_of(origin.module),) if origin.module >= 0 else (),
        cause=forward_cause(origin),
        message=f"{origin.op} puts out {_elements(origin)}, and the loss does not show it",
        why=values_of(origin),
        op=origin.op,
        source=origin.source,
        evidence={"bad_elements": origin.count, "elements": origin.numel, **_range(origin)},
    )


def _harm(poisoned: list[str]) -> str:
    if not poisoned:
        return "but reaches no parameter"
    return f"which poisons {named(tuple(poisoned))}"


def _elements(origin: Origin) -> str:
    name = {"nan": "NaN", "inf": "Inf"}[origin.produced]
    return name if origin.numel == 1 else f"{name} at {origin.count:,} of {origin.numel:,} elements"


def _range(origin: Origin) -> dict[str, float | int | str]:
    known = next((o for o in origin.operands if o.smallest is not None and o.largest is not None), None)
    return {"smallest_input": known.smallest or 0.0, "largest_input": known.largest or 0.0} if known else {}


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
