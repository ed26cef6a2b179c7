"""GC206: a layer whose activation is saturated nearly everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck_cli.records.measurement import Lens
from gradcheck_cli.records.ops import EXPONENTIALS, SOFTMAXES, SQUASHING
from gradcheck_cli.rules.inputs import column_in_words
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import named, number, percent, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def saturated_layer(evidence: Evidence) -> Diagnoses:
    """Nearly everything that a layer puts out is where its sigmoid or tanh is flat.

    At least 95 % of the elements have a slope below a hundredth of the largest, so the layer learns from the few
    that are left. Its gradient can still look large where its inputs are large. A gate that multiplies another
    signal may be closed by design, and a last sigmoid is saturated once a model has learned: both are left alone.
    """
    found = [lens for lens in evidence.measurement.lenses if _is_saturated(evidence, lens)]
    layers = {m: lens for lens in reversed(found) if (m := evidence.graph.feeder(lens.op)) in evidence.layers}
    if not layers:
        return
    lens = found[0]
    inputs = evidence.references.input_rms or 0.0
    large = inputs > evidence.thresholds.large_input
    names = tuple(evidence.graph.path_of(m) for m in sorted(layers))
    working = percent(1 - (lens.saturated or 0.0), 1)
    column = column_in_words(evidence)
    why = f"{working} of its elements have a slope above a hundredth of the largest"
    yield Diagnosis(
        layers=names,
        cause="input-scale" if large else "saturating-activation",
        message=f"{percent(lens.saturated or 0.0)} of what {named(names)} {verb(names, 'puts', 'put')} out "
        f"saturates {evidence.graph.maker_of(lens.op)}",
        why=f"{why}; the inputs' RMS is {number(inputs)}, and layers are initialised for about 1{column}"
        if large
        else why,
        op=lens.op,
        numbers={"saturated_share": lens.saturated or 0.0, "input_rms": inputs},
    )


def _is_saturated(evidence: Evidence, lens: Lens) -> bool:
    return (
        (lens.saturated or 0.0) >= evidence.thresholds.saturated_share
        and lens.units * lens.samples >= evidence.thresholds.saturated_elements
        and evidence.graph.stem(lens.op) in SQUASHING
        and evidence.paths.weights_above(lens.op) > 0
        and not evidence.graph.gates(lens.op)
    )


def saturated_cause(evidence: Evidence, op: int) -> str:
    """Why no gradient gets past a saturated op: by what it is, and by what stands between it and the loss."""
    stem = evidence.graph.stem(op)
    if stem in SOFTMAXES:
        return "softmax-saturation"
    if stem == "LogSoftmax":
        return "saturated-loss"
    if stem in EXPONENTIALS:
        return "exp-underflow"
    if evidence.graph.gates(op):
        return "gate-closed"
    if not evidence.paths.weights_above(op):
        return "saturated-output"
    return "input-scale" if _reads_large_inputs(evidence, op) else "saturating-activation"


def _reads_large_inputs(evidence: Evidence, op: int) -> bool:
    """Whether inputs that are too large come to an op through a single layer."""
    if max(evidence.references.input_scales, default=0.0) <= evidence.thresholds.large_input:
        return False
    below, seen, layers = [op], {op}, set[int]()
    while below and len(layers) < 2:
        index = below.pop()
        layers.update((evidence.graph.op(index).module,) if evidence.graph.weighted[index] else ())
        new = {edge.to for edge in evidence.graph.op(index).edges} - seen
        seen |= new
        below.extend(new)
    return len(layers) == 1
