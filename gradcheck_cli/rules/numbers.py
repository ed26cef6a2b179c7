"""The number that a finding was raised on, read again from another measurement of the same model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gradcheck_cli.records.report import Finding
from gradcheck_cli.rules.evidence import Evidence
from gradcheck_cli.rules.throughtime import total_decades


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A number with its unit; `badness` is in decades, or in layers, and 0 is well."""

    value: float
    unit: str
    badness: float


def reading(finding: Finding, evidence: Evidence) -> Reading | None:
    """What the number of `finding` is in `evidence`; None where its rule has none, or it is not finite."""
    read = _READINGS.get(finding.code)
    found = read(finding, evidence) if read else None
    return found if found is not None and math.isfinite(found.value) else None


def _layers(finding: Finding, evidence: Evidence) -> list[int]:
    return [m for m in evidence.layers if evidence.path_of(m) in finding.layers]


def _behind(finding: Finding, evidence: Evidence) -> Reading | None:
    typical = evidence.typical_relative_gradient
    rates = [evidence.layers[m].relative_gradient or 0.0 for m in _layers(finding, evidence)]
    if not typical or not rates or min(rates) <= 0:
        return None
    value = math.log10(min(rates) / typical)
    return Reading(value=value, unit="decades from the typical layer", badness=max(-value, 0.0))


def _over_time(finding: Finding, evidence: Evidence) -> Reading | None:
    layers = set(_layers(finding, evidence))
    totals = [total_decades(s) for s in evidence.ledger.series if _module(evidence, s.parameter) in layers]
    if not totals:
        return None
    value = max(totals)
    return Reading(value=value, unit="decades over the steps", badness=abs(value))


def _module(evidence: Evidence, parameter: int) -> int:
    return evidence.measurement.parameters[parameter].module


def _elasticity(finding: Finding, evidence: Evidence) -> Reading | None:
    found = [evidence.layers[m].elasticity or 0.0 for m in _layers(finding, evidence)]
    value = (min if finding.code == "GC203" else max)(found, default=0.0)
    return Reading(value=value, unit="elasticity", badness=abs(math.log10(value))) if value > 0 else None


def _loss_scale(finding: Finding, evidence: Evidence) -> Reading | None:
    if evidence.chance is not None:
        ratio, unit = evidence.chance[0] / evidence.chance[1], "times the loss of guessing"
    elif evidence.compared is not None:
        output, target = (max(rms, 1.0) for rms in evidence.compared)
        ratio, unit = max(output / target, target / output), "times between output and target"
    else:
        return None
    return Reading(value=ratio, unit=unit, badness=max(math.log10(ratio), 0.0)) if ratio > 0 else None


def _largest(finding: Finding, evidence: Evidence) -> Reading | None:
    value = max((evidence.layers[m].grad_max or 0.0 for m in _layers(finding, evidence)), default=0.0)
    return Reading(value=value, unit="largest gradient", badness=math.log10(value)) if value > 0 else None


def _saturated(finding: Finding, evidence: Evidence) -> Reading | None:
    kind = "softmax" if finding.code == "GC204" else "activation"
    shares = [x.saturated for x in evidence.measurement.lenses if x.kind == kind and x.saturated is not None]
    return Reading(value=max(shares), unit="saturated", badness=5 * max(shares)) if shares else None


def _without(finding: Finding, evidence: Evidence) -> Reading | None:
    layers = _layers(finding, evidence)
    value = sum(not evidence.layers[m].grad_norm for m in layers)
    return Reading(value=value, unit=f"of {len(layers)} layers without gradient", badness=float(value))


def _lost(finding: Finding, evidence: Evidence) -> Reading:
    value = max((r.lost for r in evidence.measurement.roundings), default=0.0)
    return Reading(value=value, unit="of a gradient lost", badness=5 * value)


def _near_limit(finding: Finding, evidence: Evidence) -> Reading:
    value = max((r.largest / r.limit for r in evidence.measurement.roundings), default=0.0)
    return Reading(value=value, unit="of the largest number", badness=5 * value)


_READINGS: Mapping[str, Callable[[Finding, Evidence], Reading | None]] = {
    "GC201": _behind,
    "GC202": _over_time,
    "GC203": _elasticity,
    "GC204": _saturated,
    "GC206": _saturated,
    "GC301": _elasticity,
    "GC302": _over_time,
    "GC303": _loss_scale,
    "GC304": _largest,
    "GC401": _without,
    "GC402": _without,
    "GC403": _without,
    "GC404": _without,
    "GC405": _without,
    "GC501": _lost,
    "GC502": _near_limit,
}
