"""The number that a finding was raised on, read again from another measurement of the same model.

Each takes evidence and the paths of the finding's layers; None where the number is not there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gradcheck_cli.records.judging import FindingNumber
from gradcheck_cli.records.report import Layer
from gradcheck_cli.rules.throughtime import total_decades

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def behind_typical(evidence: Evidence, layers: Sequence[str]) -> FindingNumber | None:
    """How far the slowest layer lies below the typical one."""
    typical = evidence.typical_relative_gradient
    rates = [layer.relative_gradient or 0.0 for layer in _among(evidence, layers)]
    if not typical or not rates or min(rates) <= 0:
        return None
    value = math.log10(min(rates) / typical)
    return FindingNumber(value=value, unit="decades from the typical layer", badness=max(-value, 0.0))


def over_time(evidence: Evidence, layers: Sequence[str]) -> FindingNumber | None:
    """What a signal gains or loses over the steps."""
    wanted, parameters = set(layers), evidence.measurement.parameters
    series = evidence.paths.ledger.series
    owners = [evidence.graph.path_of(parameters[s.parameter].module) for s in series]
    totals = [total_decades(s) for s, owner in zip(series, owners, strict=True) if owner in wanted]
    if not totals:
        return None
    value = max(totals)
    return FindingNumber(value=value, unit="decades over the steps", badness=abs(value))


def least_elasticity(evidence: Evidence, layers: Sequence[str]) -> FindingNumber | None:
    """How much the layer that moves the loss least moves it."""
    return _elasticity(min((y.elasticity or 0.0 for y in _among(evidence, layers)), default=0.0))


def largest_elasticity(evidence: Evidence, layers: Sequence[str]) -> FindingNumber | None:
    """How much the layer that moves the loss most moves it."""
    return _elasticity(max((y.elasticity or 0.0 for y in _among(evidence, layers)), default=0.0))


def _elasticity(value: float) -> FindingNumber | None:
    return FindingNumber(value=value, unit="elasticity", badness=abs(math.log10(value))) if value > 0 else None


def loss_scale(evidence: Evidence, layers: Sequence[str]) -> FindingNumber | None:
    """How far the loss is from chance, or the output from the scale of the targets."""
    chance, compared = evidence.references.chance, evidence.references.compared
    if chance is not None:
        ratio, unit = chance[0] / chance[1], "times the loss of guessing"
    elif compared is not None:
        output, target = (max(rms, 1.0) for rms in compared)
        ratio, unit = max(output / target, target / output), "times between output and target"
    else:
        return None
    return FindingNumber(value=ratio, unit=unit, badness=max(math.log10(ratio), 0.0)) if ratio > 0 else None


def put_out(evidence: Evidence, layers: Sequence[str]) -> FindingNumber | None:
    """How far from 1 what a layer puts out is, as its inputs make it."""
    scales = [rms for layer in _among(evidence, layers) if (rms := layer.activation_rms)]
    value = max(scales, default=0.0)
    return FindingNumber(value=value, unit="RMS put out", badness=abs(math.log10(value))) if value > 0 else None


def out_of_reach(evidence: Evidence, layers: Sequence[str]) -> FindingNumber:
    """The largest share of targets that the output cannot be."""
    value = max((c.outside or 0.0 for c in evidence.references.distances), default=0.0)
    return FindingNumber(value=value, unit="of the targets out of reach", badness=5 * value)


def told_apart(evidence: Evidence, layers: Sequence[str]) -> FindingNumber | None:
    """What share of the head's input differs between samples."""
    heads = [h for h in evidence.measurement.heads if h.distinguishability is not None]
    found = [min(h.distinguishability or 0.0, h.apart or math.inf) for h in heads]
    if not found or max(found) <= 0:
        return None
    badness = math.log10(evidence.thresholds.faint_distinguishability / max(found))
    return FindingNumber(value=max(found), unit="share that differs", badness=max(badness, 0.0))


def largest_gradient(evidence: Evidence, layers: Sequence[str]) -> FindingNumber | None:
    """The largest element of a gradient."""
    value = max((layer.grad_max or 0.0 for layer in _among(evidence, layers)), default=0.0)
    return FindingNumber(value=value, unit="largest gradient", badness=math.log10(value)) if value > 0 else None


def saturated(kind: str) -> Callable[[Evidence, Sequence[str]], FindingNumber | None]:
    """What reads the largest saturated share of the activations, or of the softmaxes."""

    def read(evidence: Evidence, layers: Sequence[str]) -> FindingNumber | None:
        shares = [x.saturated for x in evidence.measurement.lenses if x.kind == kind and x.saturated is not None]
        return FindingNumber(value=max(shares), unit="saturated", badness=5 * max(shares)) if shares else None

    return read


def without_gradient(evidence: Evidence, layers: Sequence[str]) -> FindingNumber:
    """How many of the layers have no gradient."""
    found = _among(evidence, layers)
    value = sum(not layer.grad_norm for layer in found)
    return FindingNumber(value=value, unit=f"of {len(found)} layers without gradient", badness=float(value))


def lost_to_rounding(evidence: Evidence, layers: Sequence[str]) -> FindingNumber:
    """The largest share of a gradient that is flushed to 0."""
    value = max((r.lost for r in evidence.measurement.roundings), default=0.0)
    return FindingNumber(value=value, unit="of a gradient lost", badness=5 * value)


def near_limit(evidence: Evidence, layers: Sequence[str]) -> FindingNumber:
    """The largest gradient over the largest number of its dtype."""
    value = max((r.largest / r.limit for r in evidence.measurement.roundings), default=0.0)
    return FindingNumber(value=value, unit="of the largest number", badness=5 * value)


def _among(evidence: Evidence, layers: Sequence[str]) -> list[Layer]:
    wanted = set(layers)
    return [layer for layer in evidence.layers.values() if layer.path in wanted]
