"""GC402, GC403, GC405 and the notes on zeros that will pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.report import Finding
from gradcheck_cli.rules.evidence import Evidence, Findings
from gradcheck_cli.rules.wording import named, number, percent, verb
from gradcheck_cli.rules.zeros import RECTIFIERS, STEP_FUNCTIONS, blockers_of, classify, opening, zero_layers

_DEAD_SAMPLES = 16
"""A unit seen on fewer elements can be zero on all of them by chance."""


def step_function(evidence: Evidence) -> Findings:
    """An op with a derivative of zero almost everywhere stands between the loss and the layers below.

    round, sign, floor, ceil and trunc are flat between their jumps, so what comes back is exactly zero.
    """
    yield from _blocked(
        evidence,
        "GC402",
        "step-function",
        "non-differentiable-op",
        lambda name, _: name.startswith(STEP_FUNCTIONS),
        "{op} is flat between its jumps, so {layers} {get} a gradient of exactly 0",
    )


def dead_activation(evidence: Evidence) -> Findings:
    """Every unit of a rectifier (or nearly every one) is off for the whole batch.

    A ReLU that is negative for all samples has a slope of exactly zero, and so does its weight's
    gradient: it cannot come back by itself. Counted per unit over the batch, never per element: half of
    all elements are zero in a healthy layer.
    """
    found = tuple(
        _blocked(
            evidence,
            "GC403",
            "dead-activation",
            "dead-relu",
            lambda name, _: name.startswith(RECTIFIERS),
            "every unit of {op} is off for the whole batch, so {layers} {get} a gradient of exactly 0",
        )
    )
    yield from found
    if not found:
        yield from _mostly_dead(evidence)


def _mostly_dead(evidence: Evidence) -> Findings:
    by_layer: dict[int, list[int]] = defaultdict(list)
    for lens in evidence.measurement.lenses:
        if lens.dead is not None and lens.samples >= _DEAD_SAMPLES and lens.units >= 8:
            by_layer[evidence.feeder(lens.op)].append(lens.op)
    dead = {  # a layer that is used several times is dead only where all uses are
        layer: ops
        for layer, ops in by_layer.items()
        if min(evidence.lenses[op].dead or 0.0 for op in ops) >= evidence.thresholds.dead_share
    }
    if dead:
        op = next(iter(dead.values()))[0]
        lens = evidence.lenses[op]
        layers = tuple(evidence.path_of(m) for m in dead)
        yield Finding(
            code="GC403",
            rule="dead-activation",
            family=Family.NO_GRADIENT,
            severity=Severity.WARNING,
            layers=layers,
            cause="dead-relu",
            message=f"{percent(lens.dead or 0.0)} of the units behind {named(layers)} are off for the whole batch, and "
            "learn nothing from it",
            why=f"{lens.units:,} units were seen on {lens.samples:,} elements each",
            op=evidence.op(op).name,
            source=evidence.source_of(op),
            evidence={"dead_share": lens.dead or 0.0, "units": lens.units},
        )


def masked_loss(evidence: Evidence) -> Findings:
    """Every gradient is exactly 0: nothing was left to compare.

    All targets were ignored, the mask was all zero, or every term of the loss was clipped. A batch like
    this teaches nothing. A hinge loss of 0 is left alone: there every sample is right already.
    """
    layers = [m for m, layer in evidence.layers.items() if layer.status == "ok"]
    if not layers or any(evidence.layers[m].grad_norm for m in layers):
        return
    reasons = {classify(evidence, blockers_of(evidence, m)) for m in layers}
    hinge = any(op.name.startswith(("Clamp", "Relu")) and op.module < 0 for op in evidence.measurement.ops[:8])
    fitted = any(lens.output_rms and lens.output_rms == lens.target_rms for lens in evidence.measurement.lenses)
    if reasons == {"masked"} and not (evidence.measurement.loss == 0 and (hinge or fitted)):
        yield Finding(
            code="GC405",
            rule="masked-loss",
            family=Family.NO_GRADIENT,
            severity=Severity.ERROR,
            layers=tuple(evidence.path_of(m) for m in layers),
            cause="masked-loss",
            message="every gradient is exactly 0: this batch was masked or clipped out of the loss completely",
            why=f"the loss is {number(evidence.measurement.loss, 4)}, and none of the {len(layers)} layers moves it",
            op=evidence.op(0).name,
            source=evidence.source_of(0),
            evidence={"loss": evidence.measurement.loss, "layers": len(layers)},
        )


def by_design_zero(evidence: Evidence) -> Findings:
    """A gradient is exactly zero because a parameter that is all zero gates it, and that one learns.

    LoRA's B, a zero-initialised last normalisation of a residual branch, ReZero and adaLN-zero start
    this way: the gate opens with the first step, and the layers behind it learn from then on.
    """
    yield from _blocked(
        evidence,
        "GC411",
        "by-design-zero",
        "by-design-zero",
        lambda _, op: opening(evidence, op) is not None,
        "{layers} {get} no gradient yet: `{gate}` is all 0 now and moves with the first step",
        severity=Severity.NOTE,
    )


def masked_rows(evidence: Evidence) -> Findings:
    """A gradient is exactly zero because the batch routed nothing through the layer.

    Rows that were not looked up, experts that were not chosen, positions behind a mask, a hinge that is
    satisfied: another batch would reach them.
    """
    yield from _blocked(
        evidence,
        "GC412",
        "masked",
        "masked",
        lambda name, _: True,
        "{layers} {learn} nothing from this batch: the gradient is exactly 0, as {op} passes nothing on",
        severity=Severity.NOTE,
    )


_OUTLOOK = {
    "GC411": "; the layers learn from the second step on",
    "GC412": ", since this batch masks what the layer made, picks other rows, or is right already; nothing needs doing "
    "if another batch reaches it",
}
"""What comes next, by code."""


def _blocked(
    evidence: Evidence,
    code: str,
    rule: str,
    cause: str,
    blocks: Callable[[str, int], bool],
    message: str,
    severity: Severity = Severity.ERROR,
) -> Findings:
    """One finding for each op at which a gradient becomes exactly zero and `blocks(name, op)` holds,
    over the layers whose every way to the loss is closed at such ops."""
    groups: dict[int, list[int]] = defaultdict(list)
    for module in zero_layers(evidence):
        blockers = blockers_of(evidence, module)
        if blockers and classify(evidence, blockers) == rule:
            groups[min(blockers)].append(module)
    matching = {op: modules for op, modules in groups.items() if blocks(evidence.op(op).name, op)}
    if matching:
        first = min(matching)
        layers = tuple(evidence.path_of(m) for m in sorted({m for ms in matching.values() for m in ms}))
        yield Finding(
            code=code,
            rule=rule,
            family=Family.NO_GRADIENT,
            severity=severity,
            layers=layers,
            cause=cause,
            message=message.format(
                op=evidence.maker_of(first),
                layers=named(layers),
                get=verb(layers, "gets", "get"),
                learn=verb(layers, "learns", "learn"),
                gate=opening(evidence, first),
            ),
            why=f"a gradient of norm {number(evidence.op(first).total, 2)} arrives at {evidence.maker_of(first)} and "
            f"nothing leaves it{_OUTLOOK.get(code, '')}",
            op=evidence.op(first).name,
            source=evidence.source_of(first),
            evidence={"layers": len(layers), "blocking_ops": len(matching)},
        )
