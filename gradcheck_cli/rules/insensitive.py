"""GC203: a loss that hardly depends on the weights."""

from __future__ import annotations

import math

from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.report import Finding
from gradcheck_cli.rules.accounts import (
    BOUNDED,
    INSENSITIVE,
    SMALL_GAIN,
    factor,
    factors,
    gate_learns,
    position,
    weights_above,
)
from gradcheck_cli.rules.evidence import Evidence, Findings
from gradcheck_cli.rules.tally import slopes
from gradcheck_cli.rules.wording import named, number, percent, times, verb

_FAINT_INPUT = 1e-3
_FAINT_ELASTICITY = 10 * INSENSITIVE
"""Of the weight of a first layer that reads faint inputs, whose bias may still be heard."""
Cause = tuple[str, str, dict[str, float | int | str], int | None]


def insensitive(evidence: Evidence) -> Findings:
    """The loss hardly depends on most layers: a hundredth of their weights moves it by less than 1e-7.

    Saturated outputs, weights so small that the signal dies on its way forward, inputs near zero. A model
    that has converged looks alike, so a finding is made only where the evidence names the cause.
    """
    behind = _behind_gates(evidence)
    layers = [
        m
        for m in evidence.trainable
        if (evidence.layers[m].elasticity or 0.0) < evidence.thresholds.insensitive_elasticity
        and not _waits(evidence, m, behind)
    ]
    deaf = _deaf_to_input(evidence)
    if deaf is None and (not layers or len(layers) < len(evidence.trainable) / 2):
        return
    moved = 0.01 * (evidence.thresholds.insensitive_elasticity if layers else _FAINT_ELASTICITY)
    layers = layers or [deaf] if deaf is not None else layers
    found = _insensitive_cause(evidence, layers)
    if found is None:
        return
    cause, why, numbers, op = found
    names = tuple(evidence.path_of(m) for m in layers)
    yield Finding(
        code="GC203",
        rule="insensitive-loss",
        family=Family.VANISHING,
        severity=Severity.ERROR,
        layers=names,
        cause=cause,
        message=f"the loss hardly depends on {named(names)}: if {verb(names, 'its', 'their')} weights change by 1 %, "
        f"the loss changes by less than {number(moved, 1)} of its value",
        why=why,
        op=evidence.op(op).name if op is not None else None,
        source=evidence.source_of(op) if op is not None else evidence.layers[layers[0]].source,
        evidence=numbers,
    )


def _waits(evidence: Evidence, module: int, behind: frozenset[int]) -> bool:
    account = evidence.strongest(module)
    return account is not None and account.leaf in behind


def _behind_gates(evidence: Evidence) -> frozenset[int]:
    """The ops below a small factor that learns at speed, such as a layer scale."""
    typical, parent, behind = evidence.typical_relative_gradient, evidence.ledger.parent, set()
    for index, above in enumerate(parent):
        if above < 0 or typical is None:
            continue
        decades = factor(evidence, above, index)
        if above in behind or (decades is not None and gate_learns(evidence, above, decades, typical)):
            behind.add(index)
    return frozenset(behind)


def _insensitive_cause(evidence: Evidence, layers: list[int]) -> Cause | None:
    inputs = _input_scale(evidence)
    if inputs is not None and inputs < _FAINT_INPUT:
        return (
            "input-scale",
            f"the inputs are too small: their RMS is {number(inputs, 2)}, and layers are initialised for about 1",
            {"input_rms": inputs},
            None,
        )
    for lens in evidence.measurement.lenses:
        name = evidence.op(lens.op).name
        if (lens.saturated or 0) > 0.9 and name.startswith(BOUNDED):
            cause = _saturated_cause(evidence, lens.op)
            why = (
                f"{evidence.maker_of(lens.op)} is saturated: at {percent(lens.saturated or 0.0)} of its elements the "
                "slope is below a hundredth of its largest"
            )
            return cause, why, {"saturated_share": lens.saturated or 0.0}, lens.op
    scales = [layer.activation_rms for layer in evidence.layers.values() if layer.activation_rms]
    if len(scales) >= 2 and scales[-1] < 1e-3 * max(scales[0], inputs or 0.0):
        fallen = math.log10(scales[-1] / max(scales))
        why = (
            f"the weights are too small: what the layers put out gets {times(-fallen)} smaller on the way to the "
            f"output, from an RMS of {number(max(scales), 2)} to {number(scales[-1], 2)}"
        )
        return "small-init", why, {"activation_decades": fallen}, None
    return _lost_in_slopes(evidence, layers) or (None if scales else _lost_in_weights(evidence, layers))


def _saturated_cause(evidence: Evidence, op: int) -> str:
    if evidence.gates(op):
        return "gate-closed"
    return "saturating-activation" if weights_above(evidence, op) else "saturated-output"


def _lost_in_slopes(evidence: Evidence, layers: list[int]) -> Cause | None:
    """Bounded activations took most of the gradient of the layer that suffers most from them."""
    worst: tuple[float, int, int] | None = None
    for module in layers:
        account = evidence.strongest(module)
        found = [f for f in factors(evidence, account) if evidence.op(f[0]).name.startswith(BOUNDED)] if account else []
        total = sum(decades for _, decades in found)
        if found and (worst is None or total < worst[0]):
            worst = total, min(found, key=lambda f: f[1])[0], module
    if worst is None or worst[0] > -3:
        return None
    lost, op, module = worst
    account = evidence.strongest(module)
    assert account is not None
    return (
        "saturating-activation",
        f"the gradient of `{evidence.path_of(module)}` gets {times(-lost)} smaller in "
        f"{slopes(evidence, account, BOUNDED)}",
        {"decades_activation": lost},
        op,
    )


def _lost_in_weights(evidence: Evidence, layers: list[int]) -> Cause | None:
    """Weights so small that each takes most of the gradient, where the activations were not seen."""
    for module in layers:
        accounts = [evidence.accounts[i] for i in evidence.owned[module] if i in evidence.accounts]
        account = max(accounts, key=lambda a: a.count_by_kind.get("weight", 0), default=None)
        if account is not None and account.count_by_kind.get("weight", 0) > 1:
            each = account.by_kind["weight"] / account.count_by_kind["weight"]
            if each < SMALL_GAIN:
                why = (
                    f"the weights are too small: each of {account.count_by_kind['weight']} makes the gradient "
                    f"{times(-each)} smaller, where PyTorch's own initialisation makes it about 1.7 times smaller"
                )
                return "small-init", why, {"decades_weight": account.by_kind["weight"]}, None
    return None


def _input_scale(evidence: Evidence) -> float | None:
    floats = [
        s.rms for s in evidence.measurement.inputs if s.rms is not None and s.dtype.startswith(("float", "bfloat"))
    ]
    return floats[0] if floats else None


def _deaf_to_input(evidence: Evidence) -> int | None:
    """The first layer, where the inputs are so faint that its weight, unlike its bias, moves nothing."""
    scale = _input_scale(evidence)
    if scale is None or not 0 < scale < _FAINT_INPUT or not evidence.trainable:
        return None
    first = min(evidence.trainable, key=lambda m: position(evidence, m))
    loss = abs(evidence.measurement.loss)
    matrices = [p for p in evidence.parameters_of(first) if len(p.shape) >= 2 and p.grad_norm is not None]
    faint = all((p.grad_norm or 0.0) * p.weight_norm < _FAINT_ELASTICITY * loss for p in matrices)
    return first if matrices and faint else None
