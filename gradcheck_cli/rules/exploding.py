"""GC301, GC303 and GC304: gradients, activations or losses that are far too large."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradcheck_cli.rules.growth import growth_cause, growth_in_words, growth_place, growth_shares, largest_gradient
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.rules.wording import named, number, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def exploding_loss(evidence: Evidence) -> Diagnoses:
    """The first loss is far above chance, or the output is far from the scale of its target.

    A classifier that knows nothing has a loss of ln C for C classes; one of 476 on ten classes is an
    explosion before any gradient is looked at. A regression starts within the scale of its targets.
    """
    found = _far_from_chance(evidence) or _far_from_target(evidence)
    if found is None:
        return
    message, numbers, target_scale = found
    cause = "target-scale" if target_scale else growth_cause(evidence)
    layer = largest_gradient(evidence)
    yield Diagnosis(
        layers=tuple(evidence.graph.path_of(m) for m in evidence.trainable),
        cause=cause,
        message=message,
        why=growth_in_words(evidence, cause),
        source=growth_place(evidence, cause, layer),
        numbers=numbers,
        shares=() if target_scale else growth_shares(evidence),
    )


Found = tuple[str, dict[str, float | int | str], bool]


def _far_from_chance(evidence: Evidence) -> Found | None:
    if evidence.references.chance is None:
        return None
    loss, chance = evidence.references.chance
    if loss < evidence.thresholds.loss_over_chance * chance:
        return None
    message = f"the output explodes: the loss is {number(loss)}, and a blind guess gives {chance:.2f}"
    return message, {"loss": loss, "chance": chance}, False


def _far_from_target(evidence: Evidence) -> Found | None:
    if evidence.references.compared is None:
        return None
    output, target = evidence.references.compared
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


def exploding_depth(evidence: Evidence) -> Diagnoses:
    """A change of 0.1 % of a layer's weights would change the loss by its own size.

    Judged by the elasticity |g| |w| / |loss|, which is free of the scale of the loss and of the weights,
    and only where the gradient really grew on its way down, since a loss near zero inflates it too.
    """
    wild = [
        m for m in evidence.trainable if (evidence.layers[m].elasticity or 0) > evidence.thresholds.exploding_elasticity
    ]
    grown = {m: _growth(evidence, m) for m in wild}
    layers = [m for m in wild if grown[m] > evidence.thresholds.exploding_growth]
    if not layers:
        return
    worst = max(layers, key=lambda m: evidence.layers[m].elasticity or 0)
    names = tuple(evidence.graph.path_of(m) for m in layers)
    cause = growth_cause(evidence)
    elasticity = evidence.layers[worst].elasticity or 0.0
    yield Diagnosis(
        layers=names,
        cause=cause,
        message=f"{named(names)} {verb(names, 'explodes', 'explode')}: "
        f"if {verb(names, 'its', 'their')} weights change by 0.1 %, the loss changes by up to "
        f"{number(elasticity / 1000, 2)} times its value",
        why=growth_in_words(evidence, cause),
        source=growth_place(evidence, cause, worst),
        numbers={"elasticity": elasticity, "decades_grown": grown[worst]},
        shares=growth_shares(evidence),
    )


def exploding_scale(evidence: Evidence) -> Diagnoses:
    """Gradients are finite, but so large that their squares overflow float32.

    Adam keeps the mean of the squares and clipping sums them: from 1.8e19, the square root of the largest float32,
    both turn into Inf although no gradient is. Where the layers have it in common, the loss is what is too large.
    """
    limit = evidence.thresholds.square_overflows
    layers = [m for m in evidence.trainable if (evidence.layers[m].grad_max or 0.0) > limit]
    if not layers:
        return
    names = tuple(evidence.graph.path_of(m) for m in layers)
    largest = max(evidence.layers[m].grad_max or 0.0 for m in layers)
    scaled = evidence.shared_decades > evidence.thresholds.shared_share * math.log10(largest)
    cause = "loss-scale" if scaled else growth_cause(evidence)
    loss = evidence.measurement.loss
    why = f"the loss itself is too large: {number(loss, 2)}" if scaled else growth_in_words(evidence, cause)
    yield Diagnosis(
        layers=names,
        cause=cause,
        message=f"{named(names)} {verb(names, 'has', 'have')} gradients up to {number(largest, 2)}, "
        "whose squares overflow float32",
        why=why,
        source=growth_place(evidence, cause, layers[0]),
        numbers={"largest": largest, "loss": loss},
        shares=() if scaled else growth_shares(evidence),
    )


def _growth(evidence: Evidence, module: int) -> float:
    """Decades by which a gradient grew below the point where the paths of the layers part."""
    account = evidence.paths.strongest(module)
    return account.decades - evidence.shared_decades if account else 0.0
