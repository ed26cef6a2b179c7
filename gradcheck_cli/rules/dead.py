"""GC403, GC410 and the note on units that are off: rectifiers and surrogates that let nothing through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gradcheck_cli.records.blockage import Reason
from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Lens
from gradcheck_cli.records.ops import RECTIFIERS, is_custom, kind_of
from gradcheck_cli.rules.blocked import TWO_SIDED, Block, blocked, is_flat, told
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.rules.wording import named, percent, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def dead_activation(evidence: Evidence) -> Diagnoses:
    """Every unit of a rectifier (or nearly every one) is off for the whole batch.

    A ReLU that is negative for all samples has a slope of exactly zero, and so does its weight's
    gradient: it cannot come back by itself. Counted per unit over the batch, never per element: half of
    all elements are zero in a healthy layer. One or two units on a side branch can be off by chance: a note.
    """
    block = blocked(evidence, Reason.RECTIFIER, lambda op: evidence.graph.stem(op) in RECTIFIERS)
    surrogate = blocked(evidence, Reason.SURROGATE, lambda op: is_flat(evidence, op))
    if surrogate is not None:
        get = verb(surrogate.layers, "gets", "get")
        message = (
            f"the backward of {surrogate.maker} is 0 for every unit and the whole batch, so {named(surrogate.layers)} "
            f"{get} a gradient of exactly 0"
        )
        outlook = ": no value comes near enough to where the surrogate has a slope"
        yield told(evidence, surrogate, "dead-surrogate", message, outlook)
    if block is None:
        yield from _mostly_dead(evidence)
        return
    what = f"{named(block.layers)} {verb(block.layers, 'gets', 'get')} a gradient of exactly 0"
    if evidence.graph.stem(block.op) in TWO_SIDED and not evidence.is_hidden(block.op):
        message = f"the output is outside the limits of {block.maker} for the whole batch, so {what}"
        yield told(evidence, block, "saturated-output", message)
        return
    message = f"every unit of {block.maker} is off for the whole batch, so {what}"
    found = told(evidence, block, "dead-relu", message)
    yield replace(found, severity=Severity.NOTE) if _may_be_chance(evidence, block) else found


def _may_be_chance(evidence: Evidence, block: Block) -> bool:
    """Whether so few units can be off by chance, on a side branch: most layers learn by another way.

    A squeeze of one unit, as of a channel attention, starts on the wrong side of 0 every other time.
    """
    lens = evidence.graph.lenses.get(block.op)
    few = lens is not None and lens.units < evidence.thresholds.chance_units
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
