"""GC301, GC303 and GC304: gradients, activations or losses that are far too large."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import About
from gradcheck_cli.rules.attribution import UNKNOWN
from gradcheck_cli.rules.growth import growth_cause, growth_in_words, growth_place, growth_shares, largest_gradient
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import named, number, percent, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def exploding_loss(evidence: Evidence) -> Diagnoses:
    """The first loss is far above chance, or the output is far from the scale of its target.

    A classifier that knows nothing has a loss of ln C for C classes; one of 476 on ten classes is an
    explosion before any gradient is looked at. A regression starts within the scale of its targets. Any other loss is
    held against that of no prediction, with the parameters of the layer that predicts at 0; where nothing is seen to
    grow that is a suspicion, since terms of both signs may only happen to cancel in it.
    """
    found = _far_from_chance(evidence) or _far_from_target(evidence) or _far_from_nothing(evidence)
    if found is None:
        return
    message, numbers, target_scale = found
    cause = "target-scale" if target_scale else growth_cause(evidence)
    over = evidence.over_nothing
    low = over is not None and over < evidence.thresholds.loss_over_zeroed
    near = numbers.keys() == _OF_NOTHING and (low or (cause == UNKNOWN and not evidence.has_grown))
    layer = largest_gradient(evidence)
    yield Diagnosis(
        layers=tuple(evidence.graph.path_of(m) for m in evidence.trainable),
        cause=cause,
        message=message,
        why=growth_in_words(evidence, cause),
        source=growth_place(evidence, cause, layer),
        numbers=numbers,
        doubt=About.WHOLE if near else None,
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


_OF_NOTHING = {"loss", "loss_of_nothing"}


def _far_from_nothing(evidence: Evidence) -> Found | None:
    """A loss far above that of no prediction; from half of the decades on it is a suspicion.

    Of a regression the outputs themselves are known, and targets near 0 are no scale.
    """
    loss, zeroed, over = evidence.measurement.loss, evidence.enquiry.zeroed, evidence.over_nothing
    of_targets = evidence.references.compared is not None and evidence.references.is_one_term
    if of_targets or zeroed is None or over is None or not evidence.trainable:
        return None
    if over < math.sqrt(evidence.thresholds.loss_over_zeroed):
        return None
    message = (
        f"the loss explodes: it is {number(loss)}, and with `{evidence.predictor}` at 0 it would be {number(zeroed)}"
    )
    return message, {"loss": loss, "loss_of_nothing": zeroed}, False


def exploding_depth(evidence: Evidence) -> Diagnoses:
    """A change of 0.1 % of a layer's weights would change the loss by its own size.

    Judged by the elasticity |g| |w| / |loss|, which is free of the scale of the loss and of the weights,
    and only where the gradient really grew on its way down, since a loss near zero inflates it too. It is a suspicion:
    many models that train start as steep, so a copy is trained before it counts.
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
    told, numbers = _steepness(evidence, worst, elasticity)
    yield Diagnosis(
        layers=names,
        cause=cause,
        message=f"{named(names)} {verb(names, 'has', 'have')} gradients that grow on their way down: {told}",
        why=growth_in_words(evidence, cause),
        source=growth_place(evidence, cause, worst),
        numbers={"elasticity": elasticity, "decades_grown": grown[worst], **numbers},
        doubt=About.WHOLE,
        shares=growth_shares(evidence),
    )


def _steepness(evidence: Evidence, layer: int, elasticity: float) -> tuple[str, dict[str, float | int | str]]:
    """What a small step along the gradient does to the loss, as far as it was measured."""
    found = evidence.enquiry.agreement
    if found is None or found.module != layer:
        return f"the elasticity of the loss is up to {number(elasticity, 2)}", {}
    loss = evidence.measurement.loss
    moved = max(abs(found.above - loss), abs(found.below - loss)) / abs(loss)
    told = (
        f"a step of 0.01 % of the weights of `{evidence.graph.path_of(layer)}` along its gradient changes the loss by "
    )
    return told + percent(moved, 1), {
        "agreement": found.agreement,
        "loss_above": found.above,
        "loss_below": found.below,
    }


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
