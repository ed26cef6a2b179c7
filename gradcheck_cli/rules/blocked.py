"""GC402, GC405, GC408 and the notes on zeros that will pass."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gradcheck_cli.records.blockage import Reason
from gradcheck_cli.records.ops import CLAMPS, STEP_FUNCTIONS
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import named, number, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

TWO_SIDED = frozenset(("Clamp", "Hardtanh", "Hardsigmoid"))
_HINGES = CLAMPS | {"Relu"}
_LOSS_OPS = 8
"""Ops next to the loss among which a hinge is looked for."""


def step_function(evidence: Evidence) -> Diagnoses:
    """An op with a derivative of zero almost everywhere stands between the loss and the layers below.

    round, sign, floor, ceil and trunc are flat between their jumps, so what comes back is exactly zero.
    """
    block = blocked(evidence, Reason.STEP, lambda op: evidence.graph.stem(op) in STEP_FUNCTIONS)
    if block is not None:
        get = verb(block.layers, "gets", "get")
        message = f"{block.maker} is flat between its jumps, so {named(block.layers)} {get} a gradient of exactly 0"
        yield told(evidence, block, "non-differentiable-op", message)


def zero_product(evidence: Evidence) -> Diagnoses:
    """Two factors that are both exactly zero multiply each other, and so close each other for good.

    The gradient of either is a multiple of the other, hence zero, on every batch. One of two may start at
    zero, as LoRA's B does: it gets a gradient and opens with the first step. Both may not.
    """
    block = blocked(evidence, Reason.PRODUCT, lambda op: bool(evidence.blocking.factors(op)))
    if block is not None:
        factors = evidence.blocking.factors(block.op)
        get = verb(block.layers, "gets", "get")
        message = (
            f"{named(factors)} are all 0 and multiply each other, so {named(block.layers)} {get} a gradient of exactly "
            "0, at every step"
        )
        yield told(evidence, block, "zero-product", message, ": each factor's gradient is a multiple of the other")


def masked_loss(evidence: Evidence) -> Diagnoses:
    """Every gradient is exactly 0: nothing was left to compare.

    All targets were ignored, the mask was all zero, or every term of the loss was clipped. A batch like
    this teaches nothing. Where the same step has a gradient in float64, it is numbers that fall below the smallest of
    float32, as a product of hundreds of probabilities does. A hinge loss of 0 is left alone: there every sample is
    right already. So is a signal that rectifiers have made the same for all samples.
    """
    loss = evidence.measurement.loss
    hinge = any(op.stem in _HINGES and op.module < 0 for op in evidence.measurement.ops[:_LOSS_OPS])
    fitted = any(lens.output_rms and lens.output_rms == lens.target_rms for lens in evidence.measurement.lenses)
    if nothing_learns(evidence) and not (loss == 0 and (hinge or fitted)) and not _died(evidence):
        layers = _trained(evidence)
        if (clipped := _clipped(evidence, layers)) is not None:
            yield _clipped_loss(evidence, layers, clipped)
            return
        if evidence.enquiry.in_double:
            yield _underflow(evidence, layers, evidence.enquiry.in_double)
            return
        yield Diagnosis(
            layers=tuple(evidence.graph.path_of(m) for m in layers),
            cause="masked-loss",
            message="every gradient is exactly 0: this batch was masked or clipped out of the loss completely",
            why=f"the loss is {number(loss, 4)}, and none of the {len(layers)} layers moves it",
            op=0,
            numbers={"loss": loss, "layers": len(layers)},
        )


def _trained(evidence: Evidence) -> list[int]:
    return [m for m, layer in evidence.layers.items() if layer.status == "ok"]


def nothing_learns(evidence: Evidence) -> bool:
    """Whether every gradient is exactly 0, and no op on the way is known for being flat there."""
    layers = _trained(evidence)
    if not layers or any(evidence.layers[m].grad_norm for m in layers):
        return False
    return {evidence.blocking.of(m).reason for m in layers} <= {Reason.MASKED, None}


def _died(evidence: Evidence) -> bool:
    """Whether all units of a rectifier are off and samples are one behind it, so that differences of them are 0."""
    dead = any(lens.dead == 1.0 and evidence.is_hidden(lens.op) for lens in evidence.measurement.lenses)
    least = evidence.thresholds.faint_distinguishability
    return dead and all((head.distinguishability or 0.0) < least for head in evidence.measurement.heads)


def _underflow(evidence: Evidence, layers: Sequence[int], in_double: float) -> Diagnosis:
    """Numbers that float32 does not hold, at the op where the gradient ends."""
    loss = evidence.measurement.loss
    ends = [op for m in layers if (op := evidence.blocking.of(m).nearest) is not None]
    return Diagnosis(
        layers=tuple(evidence.graph.path_of(m) for m in layers),
        cause="exp-underflow",
        message="every gradient is exactly 0: numbers have fallen below the smallest of float32 on the way to the loss",
        why=f"the loss is {number(loss, 4)}, and in float64 its gradient has a norm of {number(in_double, 2)}: a "
        "product of many small numbers, such as probabilities, is 0 where the sum of their logarithms is not large",
        op=min(ends, default=0),
        numbers={"loss": loss, "in_float64": in_double, "layers": len(layers)},
    )


def _clipped(evidence: Evidence, layers: Sequence[int]) -> int | None:
    """The clamp of the loss, outside of all modules, at which every way to these layers ends; None for none."""
    nearest = [evidence.blocking.of(m).nearest for m in layers]
    ends = {op for op in nearest if op is not None}
    graph = evidence.graph
    clamps = {op for op in ends if graph.stem(op) in CLAMPS | TWO_SIDED and graph.op(op).module < 0}
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
    block = blocked(evidence, Reason.OPENS, lambda op: evidence.blocking.opening(op) is not None)
    if block is not None:
        what = f"{named(block.layers)} {verb(block.layers, 'gets', 'get')} no gradient yet"
        gates = _gates(evidence)
        message = (
            f"{what}: {named(gates)} {verb(gates, 'is', 'are')} all 0 now and {verb(gates, 'moves', 'move')} with the "
            "first step"
        )
        yield told(evidence, block, "by-design-zero", message, "; the layers learn from the second step on")


def _gates(evidence: Evidence) -> tuple[str, ...]:
    """The parameters that are all zero and that the layers behind them wait for."""
    blockages = [evidence.blocking.of(module) for module in evidence.zero_layers]
    first = sorted(op for b in blockages if b.reason is Reason.OPENS and (op := b.first[Reason.OPENS]) is not None)
    return tuple(dict.fromkeys(gate for op in first if (gate := evidence.blocking.opening(op)) is not None))


def masked_rows(evidence: Evidence) -> Diagnoses:
    """A gradient is exactly zero because the batch routed nothing through the layer.

    Rows that were not looked up, experts that were not chosen, positions behind a mask, a hinge that is
    satisfied: another batch would reach them.
    """
    masked = blocked(evidence, Reason.MASKED, lambda op: not _died(evidence))
    for block in (masked, blocked(evidence, Reason.SURROGATE, lambda op: not is_flat(evidence, op))):
        if block is None:
            continue
        what = f"{named(block.layers)} {verb(block.layers, 'learns', 'learn')} nothing from this batch"
        message = f"{what}: the gradient is exactly 0, as {block.maker} passes nothing on"
        yield told(evidence, block, "masked", message, _ANOTHER_BATCH)


_ANOTHER_BATCH = (
    ", since this batch masks what the layer made, picks other rows, or is right already; nothing needs doing if "
    "another batch reaches it"
)


class Block(NamedTuple):
    """The ops at which gradients become exactly zero for one reason: the first, its maker, how many, what is behind."""

    op: int
    maker: str
    ops: int
    layers: tuple[str, ...]


def blocked(evidence: Evidence, reason: Reason, blocks: Callable[[int], bool]) -> Block | None:
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
    return Block(first, evidence.graph.maker_of(first), len(matching), layers)


def told(evidence: Evidence, block: Block, cause: str, message: str, outlook: str = "") -> Diagnosis:
    """A diagnosis of what is blocked, with what arrives where it ends."""
    return Diagnosis(
        layers=block.layers,
        cause=cause,
        message=message,
        why=f"a gradient of norm {number(evidence.graph.op(block.op).total, 2)} arrives at {block.maker} and nothing "
        f"leaves it{outlook}",
        op=block.op,
        numbers={"layers": len(block.layers), "blocking_ops": block.ops},
    )


def is_flat(evidence: Evidence, op: int) -> bool:
    """Whether the forward of a custom Function is not known to move where its backward says that it does not.

    A gradient that is reversed, or handed on times a factor that is 0 now, is no unit that is off.
    """
    return not any(test.op == op and test.decades == -math.inf for test in evidence.enquiry.functions)
