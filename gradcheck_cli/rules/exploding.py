"""GC301, GC303 and GC304: gradients, activations or losses that are far too large."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gradcheck_cli.records.account import Account
from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.rules.accounts import factors, position
from gradcheck_cli.rules.evidence import Evidence, Findings
from gradcheck_cli.rules.tally import tally
from gradcheck_cli.rules.wording import named, number, times, verb

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
        source=_place(evidence, cause, layer),
        evidence=numbers,
    )


Found = tuple[str, dict[str, float | int | str], bool]


def _far_from_chance(evidence: Evidence) -> Found | None:
    if evidence.chance is None:
        return None
    loss, chance = evidence.chance
    if loss < evidence.thresholds.loss_over_chance * chance:
        return None
    message = f"the output explodes: the loss is {number(loss)}, and a blind guess gives {chance:.2f}"
    return message, {"loss": loss, "chance": chance}, False


def _far_from_target(evidence: Evidence) -> Found | None:
    if evidence.compared is None:
        return None
    output, target = evidence.compared
    numbers: dict[str, float | int | str] = {"output_rms": output, "target_rms": target}
    if target > evidence.thresholds.target_over_output * max(output, 1.0):
        return (
            f"the targets are out of scale: their RMS is {number(target)}, and that of the output {number(output, 2)}",
            numbers,
            True,
        )
    if output > evidence.thresholds.output_over_target * max(target, 1.0):
        return (
            f"the output explodes: its RMS is {number(output)}, and that of the targets {number(target)}",
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
        f"if {verb(names, 'its', 'their')} weights change by 0.1 %, the loss changes by up to "
        f"{number(elasticity / 1000, 2)} times its value",
        why=_why(evidence, cause),
        source=_place(evidence, cause, worst),
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
    loss = evidence.measurement.loss
    why = f"the loss itself is too large: {number(loss, 2)}" if scaled else _why(evidence, cause)
    yield Finding(
        code="GC304",
        rule="exploding-scale",
        family=Family.EXPLODING,
        severity=Severity.ERROR,
        layers=names,
        cause=cause,
        message=f"{named(names)} {verb(names, 'has', 'have')} gradients up to {number(largest, 2)}, "
        "whose squares overflow float32",
        why=why,
        source=_place(evidence, cause, layers[0]),
        evidence={"largest": largest, "loss": loss},
    )


def _place(evidence: Evidence, cause: str, layer: int | None) -> SourceLine | None:
    """The line to look at: the division that is to blame, else where the layer was called."""
    if cause == "small-denominator":
        return evidence.source_of(_worst_division(evidence)[0])
    return evidence.layers[layer].source if layer is not None else None


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
    account = _account_of_the_first(evidence)
    if account is not None and _grown_in(evidence, account, _DIVISIONS) > 1.5:
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


def _account_of_the_first(evidence: Evidence) -> Account | None:
    first = min(evidence.trainable, key=lambda m: position(evidence, m), default=None)
    return evidence.strongest(first) if first is not None else None


_DIVISIONS = ("Div", "Reciprocal")
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
    return sum(decades for _, decades in _without_parameters(evidence, account, names))


def _without_parameters(evidence: Evidence, account: Account, names: tuple[str, ...]) -> Iterator[tuple[int, float]]:
    for op, decades in factors(evidence, account):
        if evidence.op(op).name.startswith(names) and not any(True for _ in evidence.parameters_under(op)):
            yield op, decades


def _scaled(evidence: Evidence, account: Account) -> float:
    """Decades gained in constant factors below the loss, whose own scale is no growth."""
    own = ((op, decades) for op, decades in factors(evidence, account) if op not in evidence.shared)
    return sum(decades for op, decades in own if evidence.op(op).name.startswith("Mul"))


def _first_scale(evidence: Evidence) -> float:
    """RMS that the first layer puts out; a normalisation there makes the input's scale harmless."""
    return next((layer.activation_rms for layer in evidence.layers.values() if layer.activation_rms), 0.0)


def _largest_gradient(evidence: Evidence) -> int | None:
    return max(evidence.trainable, key=lambda m: evidence.layers[m].grad_norm or 0.0, default=None)


_BLAME = {
    "large-init": "the weights are too large",
    "residual-growth": "every residual branch adds to the stream and nothing scales it back",
    "sum-aggregation": "sums over many elements grow with their number, where means would not",
}


def _why(evidence: Evidence, cause: str) -> str:
    inputs = [s.rms for s in evidence.measurement.inputs if s.rms is not None]
    if cause == "input-scale":
        return f"the inputs are too large: their RMS is {number(max(inputs))}, and layers are initialised for about 1"
    if cause == "small-denominator":
        return _division_in_words(evidence)
    told = _growth_in_words(evidence)
    return f"{_BLAME[cause]}: {told}" if cause in _BLAME else told


def _division_in_words(evidence: Evidence) -> str:
    op, grown = _worst_division(evidence)
    return (
        f"a denominator is too small: {evidence.maker_of(op)} makes the gradient {times(grown)} larger, as dividing by "
        f"{number(10**-grown, 1)} does"
    )


def _worst_division(evidence: Evidence) -> tuple[int, float]:
    """The division on the path of the first layer that makes its gradient grow most, and its decades."""
    account = _account_of_the_first(evidence)
    assert account is not None
    return max(_without_parameters(evidence, account, _DIVISIONS), key=lambda f: f[1])


def _growth_in_words(evidence: Evidence) -> str:
    scales = [layer.activation_rms for layer in evidence.layers.values() if layer.activation_rms]
    if len(scales) >= 2 and scales[-1] > 10 * scales[0]:
        grown = math.log10(scales[-1] / scales[0])
        return (
            f"what the layers put out gets {times(grown)} larger on the way to the output, from an RMS of "
            f"{number(scales[0], 2)} to {number(scales[-1], 2)}"
        )
    layer = _largest_gradient(evidence)
    account = evidence.strongest(layer) if layer is not None else None
    if layer is None or account is None:
        return f"the loss is {number(evidence.measurement.loss)}"
    return tally(evidence, account, evidence.path_of(layer))
