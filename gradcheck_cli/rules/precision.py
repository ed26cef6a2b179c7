"""GC5xx: what a low precision loses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Rounding
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import named, number, percent, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def underflow(evidence: Evidence) -> Diagnoses:
    """Gradients that are not zero in float32 are flushed to zero in this precision.

    float16 ends at 6e-8, and float16's normal numbers at 6.1e-5. Scaling the loss by a power of two lifts all
    gradients over that; bfloat16 has float32's range. Measured on copies of the model, the same pass in both
    precisions. Source: Micikevicius et al., Mixed Precision Training, 2018.
    """
    by_layer = _by_layer(evidence)
    ill = {
        module: rows
        for module, rows in by_layer.items()
        if max(r.lost for r in rows) > evidence.thresholds.flushed_share
    }
    if not ill:
        return
    names = tuple(map(evidence.graph.path_of, ill))
    worst = max((r for rows in ill.values() for r in rows), key=lambda r: r.lost)
    scale = _rescuing_scale(evidence, worst.limit)
    yield Diagnosis(
        severity=Severity.ERROR if worst.lost > evidence.thresholds.flushed_most else Severity.WARNING,
        layers=names,
        cause="fp16-underflow",
        message=f"{named(names)} {verb(names, 'loses', 'lose')} up to {percent(worst.lost)} of "
        f"{verb(names, 'its', 'their')} gradient to {worst.dtype}: it is 0 there, and not in float32",
        why=f"the largest element of the gradient of `{worst.parameter}` is {number(worst.largest_float32, 2)} in "
        f"float32; a loss scale of "
        f"2^{int(math.log2(scale))} ({scale:,.0f}) brings all gradients into the range of {worst.dtype}",
        source=evidence.layers[next(iter(ill))].source,
        numbers={
            "lost_share": worst.lost,
            "subnormal_share": worst.subnormal,
            "loss_scale": scale,
            "largest_float32": worst.largest_float32,
        },
    )


def near_overflow(evidence: Evidence) -> Diagnoses:
    """A gradient comes within a factor of four of the largest number that this precision holds.

    The next larger batch or step gives Inf, and an Inf that reaches the optimiser destroys the weights.
    """
    by_layer = _by_layer(evidence)
    ill = {module: rows for module, rows in by_layer.items() if any(r.near_limit > 0 for r in rows)}
    if not ill:
        return
    names = tuple(map(evidence.graph.path_of, ill))
    worst = max((r for rows in ill.values() for r in rows), key=lambda r: r.largest)
    yield Diagnosis(
        layers=names,
        cause="fp16-overflow",
        message=f"the gradient of `{worst.parameter}` reaches {number(worst.largest)}, and {worst.dtype} ends at "
        f"{number(worst.limit, 5)}",
        why="a batch with a gradient four times as large overflows to Inf",
        source=evidence.layers[next(iter(ill))].source,
        numbers={"near_limit_share": worst.near_limit, "largest": worst.largest, "limit": worst.limit},
    )


def _by_layer(evidence: Evidence) -> dict[int, list[Rounding]]:
    owner = {name: p.module for p in evidence.measurement.parameters for name in p.names}
    found: dict[int, list[Rounding]] = {}
    for row in evidence.measurement.roundings:
        found.setdefault(owner[row.parameter], []).append(row)
    return found


def _rescuing_scale(evidence: Evidence, limit: float) -> float:
    """The largest power of two that leaves headroom above every gradient that was measured."""
    streams = [y.stream for y in evidence.layers.values() if y.stream is not None and math.isfinite(y.stream)]
    largest = max((*streams, *(r.largest_float32 for r in evidence.measurement.roundings)), default=0.0)
    limits = evidence.thresholds
    if largest <= 0:
        return limits.largest_scale
    return min(max(2.0 ** math.floor(math.log2(limit / limits.headroom / largest)), 1.0), limits.largest_scale)
