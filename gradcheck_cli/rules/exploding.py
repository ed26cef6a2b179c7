"""GC301, GC303 and GC304: gradients, activations or losses that are far too large."""

from __future__ import annotations

import math

from gradcheck_cli.records.account import Account
from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.report import Finding
from gradcheck_cli.rules.accounts import factors, named, position, verb
from gradcheck_cli.rules.evidence import Evidence, Findings

_BIG_INPUT = 30.0
_SQUARE_OVERFLOWS = 1.8e19
_MOST_OF_IT = 0.7
"""Share of the decades that must come from above the point where the paths of the layers part."""


def exploding_loss(evidence: Evidence) -> Findings:
    """The first loss is far above chance, or the output is far from the scale of its target.

    A classifier that knows nothing has a loss of ln C for C classes; one of 476 on ten classes is an
    explosion before any gradient is looked at. A regression starts within the scale of its targets.
    """
    found = _far_from_chance(evidence) or _far_from_target(evidence)
    if found is None:
        return
    message, numbers, target_scale = found
    cause = "target-scale" if target_scale else growth_cause(evidence)
    layer = _largest_gradient(evidence)
    yield Finding(
        code="GC303",
        rule="exploding-loss",
        family=Family.EXPLODING,
        severity=Severity.ERROR,
        layers=tuple(evidence.path_of(m) for m in evidence.trainable),
        cause=cause,
        message=message,
        why=_why(evidence, cause),
        source=evidence.layers[layer].source if layer is not None else None,
        evidence=numbers,
    )


Found = tuple[str, dict[str, float | int | str], bool]


def _far_from_chance(evidence: Evidence) -> Found | None:
    if evidence.chance is None:
        return None
    loss, chance = evidence.chance
    if loss < evidence.thresholds.loss_over_chance * chance:
        return None
    message = f"the loss is {loss:.3g} where knowing nothing gives {chance:.2f}: the output explodes"
    return message, {"loss": loss, "chance": chance}, False


def _far_from_target(evidence: Evidence) -> Found | None:
    if evidence.compared is None:
        return None
    output, target = evidence.compared
    numbers: dict[str, float | int | str] = {"output_rms": output, "target_rms": target}
    if target > evidence.thresholds.target_over_output * max(output, 1.0):
        return (
            f"the targets' RMS is {target:.3g} and the output's {output:.3g}: the loss is all scale",
            numbers,
            True,
        )
    if output > evidence.thresholds.output_over_target * max(target, 1.0):
        return (
            f"the output's RMS is {output:.3g} and the targets' {target:.3g}: the output explodes",
            numbers,
            False,
        )
    return None


def exploding_depth(evidence: Evidence) -> Findings:
    """A change of 0.1 % of a layer's weights would change the loss by its own size.

    Judged by the elasticity |g| |w| / |loss|, which is free of the scale of the loss and of the weights,
    and only where the gradient really grew on its way down, since a loss near zero inflates it too.
    """
    wild = [
        m for m in evidence.trainable if (evidence.layers[m].elasticity or 0) > evidence.thresholds.exploding_elasticity
    ]
    grown = {m: _growth(evidence, m) for m in wild}
    layers = [m for m in wild if grown[m] > 2]
    if not layers:
        return
    worst = max(layers, key=lambda m: evidence.layers[m].elasticity or 0)
    names = tuple(evidence.path_of(m) for m in layers)
    cause = growth_cause(evidence)
    elasticity = evidence.layers[worst].elasticity or 0.0
    yield Finding(
        code="GC301",
        rule="exploding-depth",
        family=Family.EXPLODING,
        severity=Severity.ERROR,
        layers=names,
        cause=cause,
        message=f"{named(names)} {verb(names, 'explodes', 'explode')}: "
        f"0.1 % of the weights moves the loss by {elasticity / 10:.0f} % of itself",
        why=_why(evidence, cause),
        source=evidence.layers[worst].source,
        evidence={"elasticity": elasticity, "decades_grown": grown[worst]},
    )


def exploding_scale(evidence: Evidence) -> Findings:
    """Gradients are finite, but so large that their squares overflow float32.

    Adam keeps the mean of the squares and clipping sums them: from 1.8e19, the square root of the largest float32,
    both turn into Inf although no gradient is. Where the layers have it in common, the loss is what is too large.
    """
    layers = [m for m in evidence.trainable if (evidence.layers[m].grad_max or 0.0) > _SQUARE_OVERFLOWS]
    if not layers:
        return
    names = tuple(evidence.path_of(m) for m in layers)
    largest = max(evidence.layers[m].grad_max or 0.0 for m in layers)
    scaled = evidence.shared_decades > _MOST_OF_IT * math.log10(largest)
    cause = "loss-scale" if scaled else growth_cause(evidence)
    why = f"the loss is {evidence.measurement.loss:.2g}" if scaled else _why(evidence, cause)
    yield Finding(
        code="GC304",
        rule="exploding-scale",
        family=Family.EXPLODING,
        severity=Severity.ERROR,
        layers=names,
        cause=cause,
        message=f"{named(names)} {verb(names, 'has', 'have')} gradients up to {largest:.1e}, "
        "whose squares overflow float32",
        why=why,
        source=evidence.layers[layers[0]].source,
        evidence={"largest": largest, "loss": evidence.measurement.loss},
    )


def _growth(evidence: Evidence, module: int) -> float:
    """Decades by which a gradient grew below the point where the paths of the layers part."""
    account = evidence.strongest(module)
    return account.decades - evidence.shared_decades if account else 0.0


def growth_cause(evidence: Evidence) -> str:
    """What made it large: the input, a division, sums over neighbours or branches, or the weights.

    Read from the account of the layer that was used first, whose path crosses the whole network.
    """
    inputs = [
        s.rms for s in evidence.measurement.inputs if s.rms is not None and s.dtype.startswith(("float", "bfloat"))
    ]
    first = min(evidence.trainable, key=lambda m: position(evidence, m), default=None)
    account = evidence.strongest(first) if first is not None else None
    if account is not None and _grown_in(evidence, account, ("Div", "Reciprocal")) > 1.5:
        return "small-denominator"
    if inputs and max(inputs) > _BIG_INPUT and _first_scale(evidence) > _BIG_INPUT / 3:
        return "input-scale"
    if account is None:
        return "large-init"
    if _grown_in(evidence, account, _SUMMING) > 1.0:
        return "sum-aggregation"
    merges = account.count_by_kind.get("merge", 0)
    if merges >= 3 and account.by_kind["merge"] + _scaled(evidence, account) > 1.0:
        return "residual-growth"
    return "large-init"


_SUMMING = (
    "Mm",
    "Bmm",
    "SparseMm",
    "IndexAdd",
    "ScatterAdd",
    "ScatterReduce",
    "IndexSelect",
    "Index",
    "Gather",
    "Sum",
)


def _grown_in(evidence: Evidence, account: Account, names: tuple[str, ...]) -> float:
    """Decades gained in ops of these names that no parameter takes part in."""
    return sum(
        decades
        for op, decades in factors(evidence, account)
        if evidence.op(op).name.startswith(names) and not any(True for _ in evidence.parameters_under(op))
    )


def _scaled(evidence: Evidence, account: Account) -> float:
    """Decades gained in constant factors below the loss, whose own scale is no growth."""
    own = ((op, decades) for op, decades in factors(evidence, account) if op not in evidence.shared)
    return sum(decades for op, decades in own if evidence.op(op).name.startswith("Mul"))


def _first_scale(evidence: Evidence) -> float:
    """RMS that the first layer puts out; a normalisation there makes the input's scale harmless."""
    return next((layer.activation_rms for layer in evidence.layers.values() if layer.activation_rms), 0.0)


def _largest_gradient(evidence: Evidence) -> int | None:
    return max(evidence.trainable, key=lambda m: evidence.layers[m].grad_norm or 0.0, default=None)


def _why(evidence: Evidence, cause: str) -> str:
    scales = [layer.activation_rms for layer in evidence.layers.values() if layer.activation_rms]
    inputs = [s.rms for s in evidence.measurement.inputs if s.rms is not None]
    if cause == "input-scale":
        return f"the inputs' RMS is {max(inputs):.3g}, where layers are initialised for about 1"
    if len(scales) >= 2 and scales[-1] > 10 * scales[0]:
        grown = math.log10(scales[-1] / scales[0])
        return f"the activations grow by {grown:.1f} decades, from an RMS of {scales[0]:.2g} to {scales[-1]:.2g}"
    layer = _largest_gradient(evidence)
    account = evidence.strongest(layer) if layer is not None else None
    if account is None:
        return ""
    parts = [f"{v:.1f} in {k}" for k, v in sorted(account.by_kind.items(), key=lambda i: -i[1]) if v > 0.15]
    factors_ = ", ".join(parts) or "no factor stands out"
    return f"the gradient is 10^{account.decades:.1f} at {evidence.path_of(layer or 0)}: {factors_}"
