"""GC402, GC403, GC405, GC408, GC410 and the notes on zeros that will pass."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from gradcheck_cli.records.blockage import Reason
from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Lens
from gradcheck_cli.records.ops import CLAMPS, RECTIFIERS, STEP_FUNCTIONS, is_custom, kind_of
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.rules.wording import named, number, percent, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

_TWO_SIDED = frozenset(("Clamp", "Hardtanh", "Hardsigmoid"))
_HINGES = CLAMPS | {"Relu"}
_LOSS_OPS = 8
"""Ops next to the loss among which a hinge is looked for."""


def step_function(evidence: Evidence) -> Diagnoses:
    """An op with a derivative of zero almost everywhere stands between the loss and the layers below.

    round, sign, floor, ceil and trunc are flat between their jumps, so what comes back is exactly zero.
    """
    block = _blocked(evidence, Reason.STEP, lambda op: evidence.graph.stem(op) in STEP_FUNCTIONS)
    if block is not None:
        get = verb(block.layers, "gets", "get")
        message = f"{block.maker} is flat between its jumps, so {named(block.layers)} {get} a gradient of exactly 0"
        yield _told(evidence, block, "non-differentiable-op", message)


def zero_product(evidence: Evidence) -> Diagnoses:
    """Two factors that are both exactly zero multiply each other, and so close each other for good.

    The gradient of either is a multiple of the other, hence zero, on every batch. One of two may start at
    zero, as LoRA's B does: it gets a gradient and opens with the first step. Both may not.
    """
    block = _blocked(evidence, Reason.PRODUCT, lambda op: bool(evidence.blocking.factors(op)))
    if block is not None:
        factors = evidence.blocking.factors(block.op)
        get = verb(block.layers, "gets", "get")
        message = (
            f"{named(factors)} are all 0 and multiply each other, so {named(block.layers)} {get} a gradient of exactly "
            "0, at every step"
        )
        yield _told(evidence, block, "zero-product", message, ": each factor's gradient is a multiple of the other")


def dead_activation(evidence: Evidence) -> Diagnoses:
    """Every unit of a rectifier (or nearly every one) is off for the whole batch.

    A ReLU that is negative for all samples has a slope of exactly zero, and so does its weight's
    gradient: it cannot come back by itself. Counted per unit over the batch, never per element: half of
    all elements are zero in a healthy layer. A few units on a side branch can be off by chance: a note.
    """
    block = _blocked(evidence, Reason.RECTIFIER, lambda op: evidence.graph.stem(op) in RECTIFIERS)
    surrogate = _blocked(evidence, Reason.SURROGATE, lambda op: _is_flat(evidence, op))
    if surrogate is not None:
        get = verb(surrogate.layers, "gets", "get")
        message = (
            f"the backward of {surrogate.maker} is 0 for every unit and the whole batch, so {named(surrogate.layers)} "
            f"{get} a gradient of exactly 0"
        )
        outlook = ": no value comes near enough to where the surrogate has a slope"
        yield _told(evidence, surrogate, "dead-surrogate", message, outlook)
    if block is None:
        yield from _mostly_dead(evidence)
        return
    what = f"{named(block.layers)} {verb(block.layers, 'gets', 'get')} a gradient of exactly 0"
    if evidence.graph.stem(block.op) in _TWO_SIDED and not evidence.is_hidden(block.op):
        message = f"the output is outside the limits of {block.maker} for the whole batch, so {what}"
        yield _told(evidence, block, "saturated-output", message)
        return
    message = f"every unit of {block.maker} is off for the whole batch, so {what}"
    found = _told(evidence, block, "dead-relu", message)
    yield replace(found, severity=Severity.NOTE) if _may_be_chance(evidence, block) else found


def _is_flat(evidence: Evidence, op: int) -> bool:
    """Whether the forward of a custom Function is not known to move where its backward says that it does not.

    A gradient that is reversed, or handed on times a factor that is 0 now, is no unit that is off.
    """
    return not any(test.op == op and test.decades == -math.inf for test in evidence.enquiry.functions)


def _may_be_chance(evidence: Evidence, block: _Block) -> bool:
    """Whether so few units can be off by chance, on a side branch: most layers learn by another way.

    A squeeze of one unit, as of a channel attention, starts on the wrong side of 0 every other time.
    """
    lens = evidence.graph.lenses.get(block.op)
    few = lens is not None and lens.units < evidence.thresholds.dead_units
    return few and len(evidence.trainable) > len(block.layers)


def _mostly_dead(evidence: Evidence) -> Diagnoses:
    limits, by_layer = evidence.thresholds, _rectified(evidence)
    dead = {layer: ops for layer, ops in by_layer.items() if _share_dead(evidence, ops) >= limits.dead_share}
    if dead:
        op = next(iter(dead.values()))[0]
        lens = evidence.graph.lenses[op]
        layers = tuple(evidence.graph.path_of(m) for m in dead)
        yield Diagnosis(
            severity=Severity.WARNING,
            layers=layers,
            cause="dead-relu",
            message=f"{percent(lens.dead or 0.0)} of the units behind {named(layers)} are off for the whole batch, and "
            "learn nothing from it",
            why=f"{lens.units:,} units were seen on {lens.samples:,} elements each",
            op=op,
            numbers={"dead_share": lens.dead or 0.0, "units": lens.units},
        )


def _rectified(evidence: Evidence) -> Mapping[int, list[int]]:
    """By layer the rectifiers behind it that were seen on enough to tell which of their units are off."""
    limits = evidence.thresholds
    by_layer: dict[int, list[int]] = defaultdict(list)
    for lens in evidence.measurement.lenses:
        if lens.dead is not None and lens.samples >= limits.dead_samples and lens.units >= limits.dead_units:
            by_layer[evidence.graph.feeder(lens.op)].append(lens.op)
    return by_layer


def _share_dead(evidence: Evidence, ops: Sequence[int]) -> float:
    """A layer that is used several times is dead only where all uses are."""
    return min(evidence.graph.lenses[op].dead or 0.0 for op in ops)


def _partly_dead(evidence: Evidence) -> Mapping[int, list[int]]:
    """The layers that a gradient reaches, many units behind which are off, though not nearly all."""
    limits = evidence.thresholds
    return {
        layer: ops
        for layer, ops in _rectified(evidence).items()
        if limits.partly_dead <= _share_dead(evidence, ops) < limits.dead_share
        and any(evidence.graph.op(op).total > 0 for op in ops)
    }


def linear_rectifier(evidence: Evidence) -> Diagnoses:
    """Half of a rectifier's units, or more, are off for the whole batch, the others always on, and nothing else bends.

    A rectifier bends what goes through it only where a unit is on for some samples and off for others. Where
    none is, and the model has no other activation, it is a linear map and learns no more than one.
    """
    found = _partly_dead(evidence)
    stiff = {op for ops in found.values() for op in ops if _is_stiff(evidence, op)}
    bends = {i for i, op in enumerate(evidence.measurement.ops) if op.module >= 0 and _may_bend(op.name)}
    if not stiff or bends - stiff:
        return
    layers = tuple(evidence.graph.path_of(layer) for layer in found)
    op = min(stiff)
    lens = evidence.graph.lenses[op]
    off = _off(lens)
    yield Diagnosis(
        layers=layers,
        cause="dead-relu",
        message=f"{off:,} of {lens.units:,} units behind {named(layers)} are off for the whole batch and the others "
        "always on, so that the model is linear",
        why=f"no unit is on for some and off for others of the {lens.samples:,} elements that each was seen on, and "
        "nothing else bends",
        op=op,
        numbers=_dead_numbers(lens),
    )


def _may_bend(name: str) -> bool:
    return is_custom(name) or kind_of(name) in ("activation", "attention", "normalization")


def _is_stiff(evidence: Evidence, op: int) -> bool:
    """Whether no unit of a rectifier bends: those that are not off are always on."""
    lens = evidence.graph.lenses[op]
    return bool(lens.always) and (lens.dead or 0.0) + (lens.always or 0.0) >= 1.0 - 1e-6


def partly_dead(evidence: Evidence) -> Diagnoses:
    """Half of a rectifier's units, or more, are off for the whole batch; the others carry the task.

    They learn nothing from this batch, and nothing at all if other batches leave them off as well. A smaller
    layer would do as well, or biases that start at 0. Where next to nothing is left, it is a finding.
    """
    found = _partly_dead(evidence)
    if not found:
        return
    layers = tuple(evidence.graph.path_of(layer) for layer in sorted(found))
    lenses = [evidence.graph.lenses[op] for ops in found.values() for op in ops]
    lens = max(lenses, key=lambda each: each.dead or 0.0)
    off = _off(lens)
    most = "" if len(layers) == 1 else "at most "
    yield Diagnosis(
        layers=layers,
        cause="partly-dead",
        message=f"{most}{off:,} of {lens.units:,} units behind {named(layers)} are off for the whole batch",
        why=f"each was seen on {lens.samples:,} elements; the other {lens.units - off:,} learn",
        op=lens.op,
        numbers=_dead_numbers(lens),
    )


def _off(lens: Lens) -> int:
    return round(lens.units * (lens.dead or 0.0))


def _dead_numbers(lens: Lens) -> Mapping[str, float]:
    return {"dead_share": lens.dead or 0.0, "dead_units": _off(lens), "units": lens.units, "samples": lens.samples}


def masked_loss(evidence: Evidence) -> Diagnoses:
    """Every gradient is exactly 0: nothing was left to compare.

    All targets were ignored, the mask was all zero, or every term of the loss was clipped. A batch like
    this teaches nothing. A hinge loss of 0 is left alone: there every sample is right already.
    """
    layers = [m for m, layer in evidence.layers.items() if layer.status == "ok"]
    if not layers or any(evidence.layers[m].grad_norm for m in layers):
        return
    reasons = {evidence.blocking.of(m).reason for m in layers}
    loss = evidence.measurement.loss
    hinge = any(op.stem in _HINGES and op.module < 0 for op in evidence.measurement.ops[:_LOSS_OPS])
    fitted = any(lens.output_rms and lens.output_rms == lens.target_rms for lens in evidence.measurement.lenses)
    if reasons <= {Reason.MASKED, None} and not (loss == 0 and (hinge or fitted)):
        if (clipped := _clipped(evidence, layers)) is not None:
            yield _clipped_loss(evidence, layers, clipped)
            return
        yield Diagnosis(
            layers=tuple(evidence.graph.path_of(m) for m in layers),
            cause="masked-loss",
            message="every gradient is exactly 0: this batch was masked or clipped out of the loss completely",
            why=f"the loss is {number(loss, 4)}, and none of the {len(layers)} layers moves it",
            op=0,
            numbers={"loss": loss, "layers": len(layers)},
        )


def _clipped(evidence: Evidence, layers: Sequence[int]) -> int | None:
    """The clamp of the loss, outside of all modules, at which every way to these layers ends; None for none."""
    nearest = [evidence.blocking.of(m).nearest for m in layers]
    ends = {op for op in nearest if op is not None}
    graph = evidence.graph
    clamps = {op for op in ends if graph.stem(op) in CLAMPS | _TWO_SIDED and graph.op(op).module < 0}
    return min(clamps) if clamps and clamps == ends else None


def _clipped_loss(evidence: Evidence, layers: Sequence[int], op: int) -> Diagnosis:
    loss, maker = evidence.measurement.loss, evidence.graph.maker_of(op)
    return Diagnosis(
        layers=tuple(evidence.graph.path_of(m) for m in layers),
        cause="saturated-loss",
        message=f"every gradient is exactly 0: {maker} in the loss is at its limit for the whole batch",
        why=f"the loss is {number(loss, 4)}; a gradient of norm {number(evidence.graph.op(op).total, 2)} arrives at "
        f"{maker} and nothing leaves it, whichever way the output moves",
        op=op,
        numbers={"loss": loss, "layers": len(layers)},
    )


def by_design_zero(evidence: Evidence) -> Diagnoses:
    """A gradient is exactly zero because a parameter that is all zero gates it, and that one learns.

    LoRA's B, a zero-initialised last normalisation of a residual branch, ReZero and adaLN-zero start
    this way: the gate opens with the first step, and the layers behind it learn from then on.
    """
    block = _blocked(evidence, Reason.OPENS, lambda op: evidence.blocking.opening(op) is not None)
    if block is not None:
        what = f"{named(block.layers)} {verb(block.layers, 'gets', 'get')} no gradient yet"
        gate = evidence.blocking.opening(block.op)
        message = f"{what}: `{gate}` is all 0 now and moves with the first step"
        yield _told(evidence, block, "by-design-zero", message, "; the layers learn from the second step on")


def masked_rows(evidence: Evidence) -> Diagnoses:
    """A gradient is exactly zero because the batch routed nothing through the layer.

    Rows that were not looked up, experts that were not chosen, positions behind a mask, a hinge that is
    satisfied: another batch would reach them.
    """
    masked = _blocked(evidence, Reason.MASKED, lambda op: True)
    for block in (masked, _blocked(evidence, Reason.SURROGATE, lambda op: not _is_flat(evidence, op))):
        if block is None:
            continue
        what = f"{named(block.layers)} {verb(block.layers, 'learns', 'learn')} nothing from this batch"
        message = f"{what}: the gradient is exactly 0, as {block.maker} passes nothing on"
        yield _told(evidence, block, "masked", message, _ANOTHER_BATCH)


_ANOTHER_BATCH = (
    ", since this batch masks what the layer made, picks other rows, or is right already; nothing needs doing if "
    "another batch reaches it"
)


class _Block(NamedTuple):
    """The ops at which gradients become exactly zero for one reason: the first, its maker, how many, what is behind."""

    op: int
    maker: str
    ops: int
    layers: tuple[str, ...]


def _blocked(evidence: Evidence, reason: Reason, blocks: Callable[[int], bool]) -> _Block | None:
    """The layers whose every way to the loss is closed for this reason, first at an op for which `blocks` holds."""
    groups: dict[int, list[int]] = defaultdict(list)
    for module in evidence.zero_layers:
        blockage = evidence.blocking.of(module)
        first = blockage.first[reason]
        if first is not None and blockage.reason is reason:
            groups[first].append(module)
    matching = {op: modules for op, modules in groups.items() if blocks(op)}
    if not matching:
        return None
    first = min(matching)
    modules = sorted(m for ms in matching.values() for m in ms)
    layers = tuple(evidence.graph.path_of(m) for m in modules)
    return _Block(first, evidence.graph.maker_of(first), len(matching), layers)


def _told(evidence: Evidence, block: _Block, cause: str, message: str, outlook: str = "") -> Diagnosis:
    return Diagnosis(
        layers=block.layers,
        cause=cause,
        message=message,
        why=f"a gradient of norm {number(evidence.graph.op(block.op).total, 2)} arrives at {block.maker} and nothing "
        f"leaves it{outlook}",
        op=block.op,
        numbers={"layers": len(block.layers), "blocking_ops": block.ops},
    )
