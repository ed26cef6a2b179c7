"""GC601, GC602 and the notes GC611 and GC612: what the first steps of training will do."""

from __future__ import annotations

import math
from statistics import median

from gradcheck_cli.records.choices import Family, Optimizer, Severity
from gradcheck_cli.records.report import Finding
from gradcheck_cli.rules.evidence import Evidence, Findings
from gradcheck_cli.rules.wording import named, number, percent, verb

_FITTED = 0.01
"""Of the loss at chance, or of the target's standard deviation: what is left when a batch has been learned."""
_FEWEST_NORMS = 4
_QUANTILE = 0.9


def step_too_large(evidence: Evidence) -> Findings:
    """With this learning rate one step changes layers by a third of themselves or more.

    Judged by the L2 norm of the first update over that of the layer's weights: lr |g| / |w| for SGD; Adam's first
    step moves every weight that has a gradient by lr. Told only where --lr was given.
    """
    ratios = _update_ratios(evidence)
    fast = {m: ratio for m, ratio in ratios.items() if ratio > evidence.thresholds.largest_update}
    if fast:
        worst = max(fast, key=lambda m: fast[m])
        yield _finding(
            evidence,
            "GC601",
            "step-too-large",
            "lr-too-high",
            Severity.ERROR,
            fast,
            f"one step changes {{layers}} by up to {number(fast[worst], 2)} times the norm of {{their}} weights",
        )


def step_too_small(evidence: Evidence) -> Findings:
    """With this learning rate the typical layer moves by less than a millionth of itself a step.

    Told only where --lr was given, and judged as in GC601.
    """
    ratios = _update_ratios(evidence)
    if ratios and median(ratios.values()) < evidence.thresholds.smallest_update:
        slow = {m: ratio for m, ratio in ratios.items() if ratio < evidence.thresholds.smallest_update}
        most = number(max(slow.values()), 1)
        told = f"one step changes {{layers}} by at most {most} times the norm of {{their}} weights"
        yield _finding(evidence, "GC602", "step-too-small", "lr-too-low", Severity.WARNING, slow, told)


def _finding(
    evidence: Evidence, code: str, rule: str, cause: str, severity: Severity, ratios: dict[int, float], message: str
) -> Finding:
    training = evidence.training
    names = tuple(evidence.path_of(m) for m in ratios)
    typical = median(_update_ratios(evidence).values())
    return Finding(
        code=code,
        rule=rule,
        family=Family.DYNAMICS,
        severity=severity,
        layers=names,
        cause=cause,
        message=message.format(layers=named(names), their=verb(names, "its", "their")),
        why=f"{training.optimizer.value} at lr {number(training.lr or 0.0)} moves the typical layer by "
        f"{number(typical, 2)} times its norm, where about 0.001 is usual",
        source=evidence.layers[next(iter(ratios))].source,
        evidence={"lr": training.lr or 0.0, "typical_update_ratio": typical, "largest": max(ratios.values())},
    )


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
    found = [p for p in evidence.parameters_of(module) if p.grad_norm is not None]
    return sum(p.numel * (1 - (p.zero_share or 0.0)) for p in found)


def converged(evidence: Evidence) -> Findings:
    """The model fits this batch already, so small gradients are what is to be expected.

    A cross entropy below a hundredth of ln C for C classes, or an error below a hundredth of the target's standard
    deviation. A check of gradient flow says more on a model before training, or on data it has not seen.
    """
    chance = evidence.chance
    unexplained = max((lens.unexplained for lens in evidence.measurement.lenses if lens.unexplained), default=None)
    if chance is not None and chance[0] < _FITTED * chance[1]:
        message = (
            f"this batch is learned already: the loss is {number(chance[0], 2)} a sample, and a blind guess gives "
            f"{chance[1]:.2f}"
        )
        numbers: dict[str, float | int | str] = {"loss_per_sample": chance[0], "chance": chance[1]}
    elif chance is None and unexplained is not None and unexplained < _FITTED:
        message = f"this batch is learned already: the error is {percent(unexplained, 1)} of the targets' spread"
        numbers = {"unexplained": unexplained}
    else:
        return
    yield Finding(
        code="GC612",
        rule="converged",
        family=Family.DYNAMICS,
        severity=Severity.NOTE,
        layers=(),
        cause="converged",
        message=message,
        why="gradients shrink with the loss, so small ones are no fault; layers are still compared with each other",
        evidence=numbers,
    )


def clip_threshold(evidence: Evidence) -> Findings:
    """A threshold for gradient clipping, from the norms of several batches.

    The norm that nine of ten batches stay below: ordinary steps pass as they are and outliers are cut. Told where
    --batches gives at least four batches with a finite norm.
    """
    norms = sorted(norm for norm in evidence.training.norms if math.isfinite(norm) and norm > 0)
    if len(norms) < _FEWEST_NORMS:
        return
    threshold = norms[math.ceil(_QUANTILE * len(norms)) - 1]
    yield Finding(
        code="GC611",
        rule="clip-threshold",
        family=Family.DYNAMICS,
        severity=Severity.NOTE,
        layers=(),
        cause="clip-threshold",
        message=f"nothing is ill; if you clip the gradient's norm, {number(threshold, 2)} is a threshold that 90 % of "
        f"{len(norms)} batches stay below",
        why=f"the norms run from {number(norms[0], 2)} to {number(norms[-1], 2)}, their median is "
        f"{number(median(norms), 2)}",
        evidence={"threshold": threshold, "median": median(norms), "largest": norms[-1], "batches": len(norms)},
    )
