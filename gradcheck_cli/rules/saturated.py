"""GC206: a layer whose activation is saturated nearly everywhere."""

from __future__ import annotations

from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.measurement import Lens
from gradcheck_cli.records.report import Finding
from gradcheck_cli.rules.accounts import weights_above
from gradcheck_cli.rules.evidence import Evidence, Findings
from gradcheck_cli.rules.wording import named, number, percent, verb

_SQUASHING = ("Sigmoid", "Tanh", "Hardsigmoid", "Hardtanh", "Softsign")
_BIG_INPUT = 30.0
_FEWEST = 64
"""Elements below which such a share can be chance."""


def saturated_layer(evidence: Evidence) -> Findings:
    """Nearly everything that a layer puts out is where its sigmoid or tanh is flat.

    At least 95 % of the elements have a slope below a hundredth of the largest, so the layer learns from the few
    that are left. Its gradient can still look large where its inputs are large. A gate that multiplies another
    signal may be closed by design, and a last sigmoid is saturated once a model has learned: both are left alone.
    """
    found = [lens for lens in evidence.measurement.lenses if _is_saturated(evidence, lens)]
    layers = {m: lens for lens in reversed(found) if (m := evidence.feeder(lens.op)) in evidence.layers}
    if not layers:
        return
    lens = found[0]
    inputs = evidence.input_rms or 0.0
    names = tuple(evidence.path_of(m) for m in sorted(layers))
    working = percent(1 - (lens.saturated or 0.0), 1)
    why = f"{working} of its elements have a slope above a hundredth of the largest"
    yield Finding(
        code="GC206",
        rule="saturated-layer",
        family=Family.VANISHING,
        severity=Severity.WARNING,
        layers=names,
        cause="input-scale" if inputs > _BIG_INPUT else "saturating-activation",
        message=f"{percent(lens.saturated or 0.0)} of what {named(names)} {verb(names, 'puts', 'put')} out "
        f"saturates {evidence.maker_of(lens.op)}",
        why=f"{why}; the inputs' RMS is {number(inputs)}, and layers are initialised for about 1"
        if inputs > _BIG_INPUT
        else why,
        op=evidence.op(lens.op).name,
        source=evidence.source_of(lens.op),
        evidence={"saturated_share": lens.saturated or 0.0, "input_rms": inputs},
    )


def _is_saturated(evidence: Evidence, lens: Lens) -> bool:
    return (
        (lens.saturated or 0.0) >= evidence.thresholds.saturated_share
        and lens.units * lens.samples >= _FEWEST
        and evidence.op(lens.op).name.startswith(_SQUASHING)
        and weights_above(evidence, lens.op) > 0
        and not evidence.gates(lens.op)
    )
