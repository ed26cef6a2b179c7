"""GC402, GC403, GC405 and the notes on zeros that will pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from gradcheck_cli.records.blockage import Reason
from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.ops import CLAMPS, RECTIFIERS, STEP_FUNCTIONS
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.rules.wording import named, number, percent, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

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


def dead_activation(evidence: Evidence) -> Diagnoses:
    """Every unit of a rectifier (or nearly every one) is off for the whole batch.

    A ReLU that is negative for all samples has a slope of exactly zero, and so does its weight's
    gradient: it cannot come back by itself. Counted per unit over the batch, never per element: half of
    all elements are zero in a healthy layer. One or two units on a side branch can be off by chance: a note.
    """
    block = _blocked(evidence, Reason.RECTIFIER, lambda op: evidence.graph.stem(op) in RECTIFIERS)
    if block is None:
        yield from _mostly_dead(evidence)
        return
    what = f"{named(block.layers)} {verb(block.layers, 'gets', 'get')} a gradient of exactly 0"
    message = f"every unit of {block.maker} is off for the whole batch, so {what}"
    found = _told(evidence, block, "dead-relu", message)
    yield replace(found, severity=Severity.NOTE) if _may_be_chance(evidence, block) else found


def _may_be_chance(evidence: Evidence, block: _Block) -> bool:
    """Whether so few units can be off by chance, on a side branch: most layers learn by another way.

    A squeeze of one unit, as of a channel attention, starts on the wrong side of 0 every other time.
    """
    lens = evidence.graph.lenses.get(block.op)
    few = lens is not None and lens.units < evidence.thresholds.chance_units
    return few and len(evidence.trainable) > len(block.layers)


def _mostly_dead(evidence: Evidence) -> Diagnoses:
    limits = evidence.thresholds
    by_layer: dict[int, list[int]] = defaultdict(list)
    for lens in evidence.measurement.lenses:
        if lens.dead is not None and lens.samples >= limits.dead_samples and lens.units >= limits.dead_units:
            by_layer[evidence.graph.feeder(lens.op)].append(lens.op)
    dead = {  # a layer that is used several times is dead only where all uses are
        layer: ops
        for layer, ops in by_layer.items()
        if min(evidence.graph.lenses[op].dead or 0.0 for op in ops) >= limits.dead_share
    }
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
        yield Diagnosis(
            layers=tuple(evidence.graph.path_of(m) for m in layers),
            cause="masked-loss",
            message="every gradient is exactly 0: this batch was masked or clipped out of the loss completely",
            why=f"the loss is {number(loss, 4)}, and none of the {len(layers)} layers moves it",
            op=0,
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
    block = _blocked(evidence, Reason.MASKED, lambda op: True)
    if block is not None:
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
        if blockage.nearest is not None and blockage.reason is reason:
            groups[blockage.nearest].append(module)
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
