"""GC403, GC410 and the note on units that are off: rectifiers and surrogates that let nothing through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gradcheck_cli.records.blockage import Reason
from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Lens, Measurement
from gradcheck_cli.records.ops import RECTIFIERS, is_custom, kind_of
from gradcheck_cli.rules.blocked import TWO_SIDED, Block, blocked, is_flat, told
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import named, number, percent, verb

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
    dead = {layer: lenses for layer, lenses in by_layer.items() if _share_dead(lenses) >= limits.dead_share}
    if dead:
        lens = next(iter(dead.values()))[0]
        layers = tuple(evidence.graph.path_of(m) for m in dead)
        yield Diagnosis(
            severity=Severity.WARNING,
            layers=layers,
            cause="dead-relu",
            message=f"{percent(lens.dead or 0.0)} of the units behind {named(layers)} are off for the whole batch, and "
            "learn nothing from it",
            why=f"{lens.units:,} units were seen on {lens.samples:,} elements each",
            op=lens.op,
            numbers={"dead_share": lens.dead or 0.0, "units": lens.units},
        )


def _lenses(evidence: Evidence) -> Mapping[int, Lens]:
    """By op what is known of its units over all batches that are judged: one is dead that fires in none of them."""
    others = [_places(batch) for batch in evidence.batches if batch is not evidence.measurement]
    places = _places(evidence.measurement)
    return {lens.op: _joined(lens, [other.get(place) for other in others]) for place, lens in places.items()}


def _joined(lens: Lens, others: Sequence[Lens | None]) -> Lens:
    """The lens with what those of other batches add; as it is where one of them has no such units."""
    same = [other for other in others if other is not None and other.units == lens.units]
    if not same or len(same) < len(others) or not lens.off:
        return lens
    off = set(lens.off).intersection(*(other.off for other in same))
    samples = lens.samples + sum(other.samples for other in same)
    return replace(lens, dead=len(off) / lens.units, samples=samples)


def _places(measured: Measurement) -> Mapping[tuple[str, str, int], Lens]:
    """The lenses of rectifiers by what names them in every batch: module, op, and how many such came before."""
    places: dict[tuple[str, str, int], Lens] = {}
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for lens in measured.lenses:
        if lens.dead is not None:
            op = measured.ops[lens.op]
            path = measured.modules[op.module].path if op.module >= 0 else ""
            places[path, op.name, counts[path, op.name]] = lens
            counts[path, op.name] += 1
    return places


def _rectified(evidence: Evidence) -> Mapping[int, list[Lens]]:
    """By layer the rectifiers behind it that were seen on enough to tell which of their units are off."""
    limits = evidence.thresholds
    by_layer: dict[int, list[Lens]] = defaultdict(list)
    for lens in _lenses(evidence).values():
        if lens.samples >= limits.dead_samples and lens.units >= limits.dead_units:
            by_layer[evidence.graph.feeder(lens.op)].append(lens)
    return by_layer


def _share_dead(lenses: Sequence[Lens]) -> float:
    """A layer that is used several times is dead only where all uses are."""
    return min(lens.dead or 0.0 for lens in lenses)


def _partly_dead(evidence: Evidence) -> Mapping[int, list[Lens]]:
    """The layers that a gradient reaches, many units behind which are off, though not nearly all."""
    limits = evidence.thresholds
    return {
        layer: lenses
        for layer, lenses in _rectified(evidence).items()
        if limits.partly_dead <= _share_dead(lenses) < limits.dead_share
        and any(evidence.graph.op(lens.op).total > 0 for lens in lenses)
    }


def linear_rectifier(evidence: Evidence) -> Diagnoses:
    """Half of a rectifier's units, or more, are off for the whole batch, the others always on, and nothing else bends.

    A rectifier bends what goes through it only where a unit is on for some samples and off for others. Where
    none is, and the model has no other activation, it is a linear map and learns no more than one. Inputs far from 0
    are the usual reason; biases are another.
    """
    found = _partly_dead(evidence)
    stiff = {lens.op for lenses in found.values() for lens in lenses if _is_stiff(evidence, lens.op)}
    bends = {i for i, op in enumerate(evidence.measurement.ops) if op.module >= 0 and _may_bend(op.name)}
    if not stiff or bends - stiff:
        return
    layers = tuple(evidence.graph.path_of(layer) for layer in found)
    op = min(stiff)
    lens = evidence.graph.lenses[op]
    off, inputs = _off(lens), evidence.references.input_rms or 0.0
    large = inputs > evidence.thresholds.large_input
    yield Diagnosis(
        layers=layers,
        cause="input-scale" if large else "dead-relu",
        message=f"{off:,} of {lens.units:,} units behind {named(layers)} are off for the whole batch and the others "
        "always on, so that the model is linear",
        why=f"no unit is on for some and off for others of the {lens.samples:,} elements that each was seen on, and "
        "nothing else bends"
        + (f"; the inputs' RMS is {number(inputs)}, and layers are initialised for about 1" * large),
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

    They learn nothing from this batch, and nothing at all if other batches leave them off as well: with `--batches N`
    a unit counts that fires in none of them. A smaller layer would do as well, or biases that start at 0. Where next to
    nothing is left, it is a finding.
    """
    found = _partly_dead(evidence)
    if not found:
        return
    layers = tuple(evidence.graph.path_of(layer) for layer in sorted(found))
    lens = max((lens for lenses in found.values() for lens in lenses), key=lambda each: each.dead or 0.0)
    off = _off(lens)
    most = "" if len(layers) == 1 else "at most "
    yield Diagnosis(
        layers=layers,
        cause="partly-dead",
        message=f"{most}{off:,} of {lens.units:,} units behind {named(layers)} are off {_when(evidence, lens)}",
        why=f"each was seen on {lens.samples:,} elements; the other {lens.units - off:,} learn",
        op=lens.op,
        numbers=_dead_numbers(lens),
    )


def _when(evidence: Evidence, lens: Lens) -> str:
    joined = lens.samples > evidence.graph.lenses[lens.op].samples
    return f"in all of {len(evidence.batches)} batches" if joined else "for the whole batch"


def _off(lens: Lens) -> int:
    return round(lens.units * (lens.dead or 0.0))


def _dead_numbers(lens: Lens) -> Mapping[str, float]:
    return {"dead_share": lens.dead or 0.0, "dead_units": _off(lens), "units": lens.units, "samples": lens.samples}
