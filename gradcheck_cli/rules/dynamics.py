"""GC601, GC602 and the notes GC611 and GC612: what the first steps of training will do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import About, Optimizer
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import named, number, percent, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def step_too_large(evidence: Evidence) -> Diagnoses:
    """With this learning rate one step changes layers by a third of themselves or more.

    Judged by the L2 norm of the first update over that of the layer's weights: lr |g| / |w| for SGD; Adam's first
    step moves every weight that has a gradient by lr. Told only where --lr was given. Where the loss of the very batch
    falls all the same, as where weights start small, it is a suspicion that training decides.
    """
    ratios = _update_ratios(evidence)
    fast = {m: ratio for m, ratio in ratios.items() if ratio > evidence.thresholds.largest_update}
    if fast:
        found, stepped = (
            _moves(evidence, "lr-too-high", fast, f"up to {number(max(fast.values()), 2)}"),
            descent(evidence),
        )
        falls = stepped is not None and stepped[1] < stepped[0]
        yield replace(found, doubt=About.WHOLE) if falls else found


def step_too_small(evidence: Evidence) -> Diagnoses:
    """With this learning rate the typical layer moves by less than a millionth of itself a step.

    Told only where --lr was given, and judged as in GC601. What is learned already has little left to move for.
    """
    ratios = _update_ratios(evidence)
    if ratios and not is_learned(evidence) and median(ratios.values()) < evidence.thresholds.smallest_update:
        slow = {m: ratio for m, ratio in ratios.items() if ratio < evidence.thresholds.smallest_update}
        yield _moves(evidence, "lr-too-low", slow, f"at most {number(max(slow.values()), 1)}")


def _moves(evidence: Evidence, cause: str, ratios: Mapping[int, float], by: str) -> Diagnosis:
    training = evidence.training
    names = tuple(evidence.graph.path_of(m) for m in ratios)
    typical = median(_update_ratios(evidence).values())
    return Diagnosis(
        layers=names,
        cause=cause,
        message=f"one step changes {named(names)} by {by} times the norm of {verb(names, 'its', 'their')} weights",
        why=f"{training.optimizer.value} at lr {number(training.lr or 0.0)} moves the typical layer by "
        f"{number(typical, 2)} times its norm, where about 0.001 is usual{_measured(evidence)}",
        source=evidence.layers[next(iter(ratios))].source,
        numbers={"lr": training.lr or 0.0, "typical_update_ratio": typical, "largest": max(ratios.values())},
    )


def descent(evidence: Evidence) -> tuple[float, float] | None:
    """The loss of the batch before and after the first update; None where it cannot be held against itself.

    That is without a simulated update, or where the same pass on a copy came to another loss than it was measured at.
    """
    stepped, loss = evidence.training.stepped, evidence.measurement.loss
    if stepped is None or not math.isclose(stepped.before, loss, rel_tol=1e-3):
        return None
    return stepped.before, stepped.after


def _measured(evidence: Evidence) -> str:
    found = descent(evidence)
    return f"; the loss of this very batch goes from {number(found[0])} to {number(found[1])}" if found else ""


def _update_ratios(evidence: Evidence) -> dict[int, float]:
    """The first update over the weights, in L2 norm, for every layer that has both."""
    lr = evidence.training.lr
    if lr is None:
        return {}
    layers = {m: evidence.layers[m] for m in evidence.trainable if evidence.layers[m].weight_norm}
    if evidence.training.optimizer is Optimizer.SGD:
        return {m: lr * (layer.grad_norm or 0.0) / layer.weight_norm for m, layer in layers.items()}
    return {m: lr * math.sqrt(_moved(evidence, m)) / layer.weight_norm for m, layer in layers.items()}


def _moved(evidence: Evidence, module: int) -> float:
    """How many weights of a layer have a gradient."""
    found = [p for p in evidence.graph.parameters_of(module) if p.grad_norm is not None]
    return sum(p.numel * (1 - (p.zero_share or 0.0)) for p in found)


def converged(evidence: Evidence) -> Diagnoses:
    """The model fits this batch already, so small gradients are what is to be expected.

    A cross entropy below a hundredth of ln C for C classes, or an error below a hundredth of the target's standard
    deviation, and a loss clearly below that of one answer for every sample. A check of gradient flow says more on a
    model before training, or on data it has not seen.
    """
    found = fitted(evidence)
    if found is not None and (evidence.enquiry.mean is None or evidence.has_learned):
        what, numbers = found
        yield Diagnosis(
            cause="converged",
            message=f"this batch is learned already: {what}",
            why="gradients shrink with the loss, so small ones are no fault; layers are still compared with each other",
            numbers=numbers,
        )


def is_learned(evidence: Evidence) -> bool:
    """Whether gradients are small because the batch is learned, as far as it can be."""
    learned = evidence.has_learned and evidence.largest_elasticity < evidence.thresholds.usual_least
    return learned or fitted(evidence) is not None


def fitted(evidence: Evidence) -> tuple[str, dict[str, float | int | str]] | None:
    """What is left of the loss or the error, in words and numbers; None where it is not next to nothing."""
    limit, chance, left = evidence.thresholds.fitted, evidence.references.chance, evidence.references.unexplained
    if chance is not None:
        told = f"the loss is {number(chance[0], 2)} a sample, and a blind guess gives {chance[1]:.2f}"
        return (told, {"loss_per_sample": chance[0], "chance": chance[1]}) if chance[0] < limit * chance[1] else None
    if left is None or left >= limit:
        return None
    return f"the error is {percent(left, 1)} of the targets' spread", {"unexplained": left}


def clip_threshold(evidence: Evidence) -> Diagnoses:
    """A threshold for gradient clipping, from the norms of several batches.

    The norm that nine of ten batches stay below: ordinary steps pass as they are and outliers are cut. Told where
    --batches gives at least four batches with a finite norm.
    """
    limits = evidence.thresholds
    norms = sorted(norm for norm in evidence.training.norms if math.isfinite(norm) and norm > 0)
    if len(norms) < limits.clip_norms:
        return
    threshold = norms[math.ceil(limits.clip_quantile * len(norms)) - 1]
    yield Diagnosis(
        cause="clip-threshold",
        message=f"nothing is ill; if you clip the gradient's norm, {number(threshold, 2)} is a threshold that "
        f"{percent(limits.clip_quantile)} of {len(norms)} batches stay below",
        why=f"the norms run from {number(norms[0], 2)} to {number(norms[-1], 2)}, their median is "
        f"{number(median(norms), 2)}",
        numbers={"threshold": threshold, "median": median(norms), "largest": norms[-1], "batches": len(norms)},
    )
