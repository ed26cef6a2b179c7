"""GC208, GC209, GC210, GC214 and GC416: a loss that compares the wrong things, or what it cannot bring together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import About, Severity
from gradcheck_cli.records.ops import (
    DIFFERENCE_CALLS,
    DISTANCE_CALLS,
    LOGARITHM_CALLS,
    PROBABILITY_CALLS,
    WEIGHING_CALLS,
    kind_of,
    plain_op,
)
from gradcheck_cli.records.targetcomparison import TargetComparison
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import named, number, percent, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def broadcast_loss(evidence: Evidence) -> Diagnoses:
    """Outputs of shape (N, 1) and targets of shape (N,) broadcast to (N, N): every output meets every target.

    Nothing raises, and the loss falls, to what answering the mean of the targets costs: each output is drawn to all
    of them alike. Read from the shapes in the code of the loss, where a mean or a sum over all pairs is all that
    becomes of them. Distances between all pairs, or a mask over pairs, are meant.
    """
    for found in evidence.measurement.comparisons:
        if not (found.averaged and found.broadcasts) or not _differ(found):
            continue
        shapes = f"{_shape(found.output.shape)} and {_shape(found.target.shape)} broadcast to {_shape(found.shape)}"
        weighing = found.function in WEIGHING_CALLS
        what = (
            "every output is multiplied with every weight" if weighing else "every output is compared with every target"
        )
        left = (
            "the mean of the weights is all that counts"
            if weighing
            else "answering their mean is all that it can learn"
        )
        yield Diagnosis(
            severity=Severity.NOTE if weighing and found.target.least >= 0 else None,
            cause="broadcast",
            message=f"the loss mixes its samples: {what}, since the shapes {shapes}",
            why=f"{math.prod(found.shape):,} pairs are averaged where {found.output.count:,} were meant, and {left}",
            op=_blamed(found),
            source=found.source,
            numbers={"outputs": found.output.count, "pairs": math.prod(found.shape)},
        )
        return


def _differ(found: TargetComparison) -> bool:
    """Whether the targets are not all the same, as the labels of a discriminator are, which meet all outputs alike."""
    return found.target.most > found.target.least


def unreachable_targets(evidence: Evidence) -> Diagnoses:
    """Targets lie outside of what the last activation can put out.

    A sigmoid ends at 0 and 1, a tanh at -1 and 1, a ReLU begins at 0. Where all targets of a squared or absolute error
    lie outside, every output is driven to the same end, where the slope is 0. Where only some do, training decides.
    Labels of a cross entropy of yes and no outside of 0 to 1 make a loss without a floor.
    """
    eps = evidence.thresholds.label_rounding
    for found in evidence.measurement.comparisons:
        if found.function in PROBABILITY_CALLS and (found.target.least < -eps or found.target.most > 1 + eps):
            yield _labels(found)
            return
    for found in evidence.references.distances:
        share = found.outside or 0.0
        if share < evidence.thresholds.unreachable_share:
            continue
        some = "any" if share == 1 else percent(share)
        targets = f"from {number(found.target.least)} to {number(found.target.most)}"
        outputs = f"from {number(found.output.least)} to {number(found.output.most)}"
        maker = (
            evidence.graph.maker_of(_maker(evidence, found)) if found.op >= 0 else plain_op(f"{found.made_by}Backward0")
        )
        yield Diagnosis(
            layers=tuple(evidence.graph.path_of(m) for m in evidence.layers if evidence.graph.has_matrix(m)),
            cause="saturated-output",
            message=f"the output cannot reach {some} of the targets: {maker} puts out {_bounds(found)}, and "
            f"the targets run {targets}",
            why=f"the outputs run {outputs} now, and the loss drives them to the end of what they can be",
            op=_maker(evidence, found) if found.op >= 0 else None,
            source=None if found.op >= 0 else found.source,
            numbers={
                "unreachable_share": share,
                "target_least": found.target.least,
                "target_most": found.target.most,
                "output_least": found.output.least,
                "output_most": found.output.most,
            },
            doubt=None if share == 1 else About.WHOLE,
        )
        return


def _labels(found: TargetComparison) -> Diagnosis:
    return Diagnosis(
        cause="label-range",
        message=f"{found.function} takes labels from 0 to 1, and those of this batch run from "
        f"{number(found.target.least)} to {number(found.target.most)}",
        why="outside of that range the loss has no floor: it falls for ever as the output grows",
        op=_blamed(found),
        source=found.source,
        numbers={"target_least": found.target.least, "target_most": found.target.most, "floor": 0.0},
    )


def missing_log(evidence: Evidence) -> Diagnoses:
    """A loss that takes log-probabilities is given probabilities, or scores that were never normalised.

    `nll_loss`, `kl_div` and `ctc_loss` take what `log_softmax` puts out. Of probabilities they give -p, whose gradient
    is gone once a wrong class is sure; of raw scores a loss without a floor. `ctc_loss` takes for granted that the
    exponentials of what it gets sum to 1, so that its gradient is wrong elsewhere, which raw scores learn to make up
    for, and probabilities cannot.
    """
    for found in evidence.measurement.comparisons:
        if found.function not in LOGARITHM_CALLS:
            continue
        kind = kind_of(f"{found.made_by}Backward0")
        given = {"Softmax": "softmax", "Sigmoid": "sigmoid"}.get(found.made_by)
        paths = found.function == "ctc_loss"
        if given is None and (paths or not (kind == "weight" and found.output.most > 0)):
            continue
        what = f"the output of a {given}" if given else "scores that no log_softmax has normalised"
        yield Diagnosis(
            cause="missing-log" if given else "unbounded-loss",
            message=f"the loss, {found.function}, takes log-probabilities and gets {what}",
            why=f"what it gets runs from {number(found.output.least)} to {number(found.output.most)}, and "
            f"log-probabilities are never above 0; the loss is {number(evidence.measurement.loss)}",
            op=_maker(evidence, found) if found.op >= 0 else found.function,
            source=found.source,
            numbers={
                "least": found.output.least,
                "most": found.output.most,
                **({"floor": 0.0} if paths or not given else {}),
            },
        )
        return


def class_index(evidence: Evidence) -> Diagnoses:
    """The numbers of classes are the targets of a squared or absolute error.

    Class 4 is not twice class 2. Where there is one output a class, each of them is drawn to the number of the class,
    and the largest says nothing: the loss falls all the same. With one output it is a note, since whole numbers that
    came as integers may be grades or counts.
    """
    counts = {s.numel for s in (*evidence.measurement.inputs, *evidence.measurement.targets) if s.is_index}
    for found in evidence.measurement.comparisons:
        distance = found.function in DISTANCE_CALLS or (found.function in DIFFERENCE_CALLS and found.averaged)
        if distance and found.target.count in counts and _are_classes(evidence, found):
            yield _indexed(found)
            return


def _are_classes(evidence: Evidence, found: TargetComparison) -> bool:
    """Whether the targets number the outputs of a sample; or for one output are a few, each of them often."""
    limits, output, target, most = evidence.thresholds, found.output, found.target, found.target.most
    if not target.whole or target.least < 0 or most < _THIRD:
        return False
    if len(output.shape) > 1 and output.shape[-1] > 1:
        return target.shape == (*output.shape[:-1], 1) and most < output.shape[-1]
    often = target.count >= limits.samples_of_class * (most + 1)
    return target.least == 0 and most < limits.few_classes and often


_THIRD = 2
"""The third class; two are as well told apart by a squared error."""


def _indexed(found: TargetComparison) -> Diagnosis:
    outputs = found.output.shape[-1] if len(found.output.shape) > 1 else 1
    classes = f"whole numbers from {number(found.target.least)} to {number(found.target.most)} that came as integers"
    told = f"each of the {outputs} outputs of a sample is drawn to the number of its class, by {found.function}"
    return Diagnosis(
        severity=None if outputs > 1 else Severity.NOTE,
        cause="wrong-loss",
        message=told if outputs > 1 else f"the targets of {found.function} are {classes}",
        why=f"the targets are {classes}, and the largest output then says nothing of the class"
        if outputs > 1
        else "if they name classes, take one output a class and cross_entropy; grades and counts are well as they are",
        op=_blamed(found),
        source=found.source,
        numbers={"outputs": outputs, "target_most": found.target.most},
    )


def clamped_loss(evidence: Evidence) -> Diagnoses:
    """Nearly all terms of the loss lie beyond the bounds of a clamp, which hands no gradient on where it cuts off.

    The layers learn from the few that are left: training decides. Where no term is left at all it is GC405.
    """
    layers = [m for m, layer in evidence.layers.items() if layer.grad_norm and evidence.graph.has_matrix(m)]
    for found in evidence.measurement.comparisons:
        if layers and found.averaged and found.clipped >= evidence.thresholds.clipped_share:
            yield _clamped(evidence, layers, found)
            return


def _clamped(evidence: Evidence, layers: Sequence[int], found: TargetComparison) -> Diagnosis:
    names, loss = tuple(evidence.graph.path_of(m) for m in layers), evidence.measurement.loss
    op = found.op if found.op >= 0 else None
    arrives = evidence.graph.op(op).total if op is not None else 0.0
    return Diagnosis(
        layers=names,
        cause="saturated-loss",
        message=f"the loss is clamped flat: {percent(found.clipped)} of its terms lie beyond the bounds, so "
        f"{named(names)} {verb(names, 'learns', 'learn')} from {percent(1 - found.clipped, 1)} of them",
        why=f"the loss is {number(loss)}; a gradient of norm {number(arrives, 2)} arrives at the clamp",
        op=op,
        numbers={"clamped_share": found.clipped, "loss": loss},
        doubt=About.WHOLE,
    )


def _maker(evidence: Evidence, found: TargetComparison) -> int:
    """The op that made the output, behind what compares it and views."""
    op = found.op
    while evidence.graph.op(op).edges and evidence.graph.stem(op) != found.made_by:
        op = evidence.graph.op(op).edges[0].to
    return op


def _blamed(found: TargetComparison) -> int | str:
    return found.op if found.op >= 0 else found.function


def _shape(shape: Sequence[int]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _bounds(found: TargetComparison) -> str:
    if math.isinf(found.high):
        return f"{number(found.low)} at least"
    return f"{number(found.high)} at most" if math.isinf(found.low) else f"{number(found.low)} to {number(found.high)}"
