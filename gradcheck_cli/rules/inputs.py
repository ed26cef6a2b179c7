"""GC212, GC213 and GC217: data that the model cannot use, by its own numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import About, Severity
from gradcheck_cli.records.measurement import Measurement, TensorStats
from gradcheck_cli.records.ops import CLASS_CALLS, NORMALIZATIONS
from gradcheck_cli.records.targetcomparison import TargetComparison
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import number

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

_NORMS = ("BatchNorm1d", "LayerNorm", "RMSNorm", "SyncBatchNorm", "GroupNorm")


def uneven_columns(evidence: Evidence) -> Diagnoses:
    """A matrix reads columns as they are, and one is ten thousand times larger than the others, or they hardly differ.

    Columns are the features of a table; their RMS is compared with that of the median column, and how far the median
    column lies from 0 with its standard deviation. The largest column, or what all samples have in common, decides
    what the first layer puts out, and its gradient. A normalisation over the columns takes both away. Training decides.
    """
    found = widest(evidence)
    if found is None:
        yield from _far_from_zero(evidence)
        return
    first = _reader(evidence, found.shape[1])
    if first is None:
        return
    layer, ratio = evidence.graph.path_of(first), found.widest or 0.0
    yield Diagnosis(
        layers=(layer,),
        cause="input-scale",
        message=f"the columns of `{found.name}` differ in scale: column {found.column} is {number(ratio, 2)} times the "
        f"median column, and `{layer}` reads them as they are",
        why=f"the inputs' RMS is {number(found.rms or 0.0)}, and one column of {found.shape[1]} makes nearly all of it",
        source=evidence.layers[first].source,
        numbers={"widest": ratio, "column": found.column},
        doubt=About.WHOLE,
    )


def _far_from_zero(evidence: Evidence) -> Diagnoses:
    least = evidence.thresholds.offset_columns
    found = next((s for s in evidence.measurement.inputs if (s.offset or 0.0) >= least), None)
    first = _reader(evidence, found.shape[1]) if found is not None else None
    if found is None or first is None:
        return
    layer, offset = evidence.graph.path_of(first), found.offset or 0.0
    yield Diagnosis(
        layers=(layer,),
        cause="input-scale",
        message=f"the columns of `{found.name}` hardly differ between samples: the median one lies "
        f"{number(offset, 2)} of its standard deviations from 0, and `{layer}` reads them as they are",
        why=f"the inputs' RMS is {number(found.rms or 0.0)}, and what all samples share makes nearly all of it",
        source=evidence.layers[first].source,
        numbers={"offset": offset, "input_rms": found.rms or 0.0},
        doubt=About.WHOLE,
    )


def widest(evidence: Evidence) -> TensorStats | None:
    """The input whose columns differ most in scale, where they differ by far."""
    least = evidence.thresholds.uneven_columns
    uneven = [s for s in evidence.measurement.inputs if (s.widest or 0.0) >= least]
    return max(uneven, key=lambda s: s.widest or 0.0, default=None)


def _reader(evidence: Evidence, columns: int) -> int | None:
    """The first layer whose matrix takes so many columns; None where a normalisation over them lies before it."""
    modules, parameters = evidence.measurement.modules, evidence.measurement.parameters
    for module in modules:
        if module.calls and module.kind in _NORMS:
            owned = evidence.graph.owned.get(evidence.graph.module_at[module.path], ())
            if not owned or any(parameters[i].shape == (columns,) for i in owned):
                return None
    readers = [m for m in evidence.trainable if any(p.shape[1:] == (columns,) for p in evidence.graph.parameters_of(m))]
    return min(readers, key=evidence.paths.position, default=None)


def constant_data(evidence: Evidence) -> Diagnoses:
    """All samples of the batch are one and the same, or all targets are, or all labels are of one class.

    Of such a batch a model learns one answer. It is a note: a batch made by hand to try a model out is often like it,
    and the labels of a discriminator are. Where each of several batches (`--batches N`) holds one class, and not always
    the same, the data was never shuffled: what one batch teaches the next one takes back.
    """
    tables = [s for s in evidence.measurement.inputs if len(s.shape) > 1 and s.dtype != "bool"]
    first = next((s for s in tables if s.is_floating), tables[0] if tables else None)
    if first is not None and first.alike:
        yield Diagnosis(
            severity=Severity.NOTE,
            cause="unshuffled-batches",
            message=f"all {first.shape[0]} samples of `{first.name}` are the same, so this batch teaches one answer",
            why="what differs between samples cannot be judged on it; check a batch of the real data",
            numbers={"samples": first.shape[0]},
        )
    given = {(s.shape, s.dtype) for s in (*evidence.measurement.inputs, *evidence.measurement.targets) if s.std == 0}
    targets = [c.target for c in evidence.references.distances if (c.target.shape, "float32") in given]
    if targets and all(t.least == t.most for t in targets) and targets[0].count >= _FEW:
        yield Diagnosis(
            severity=Severity.NOTE,
            cause="constant-target",
            message=f"all {targets[0].count} targets of this batch are {number(targets[0].least)}",
            why="a bias alone can learn that; look at how the targets are made, or check a batch of the real data",
            numbers={"target": targets[0].least, "targets": targets[0].count},
        )

    yield from _one_class(evidence)


def _one_class(evidence: Evidence) -> Diagnoses:
    labels = _only_class(evidence.measurement)
    if labels is None:
        return
    classes, held = labels.output.shape[1], f"class {number(labels.target.least)}"
    others = [_only_class(batch) for batch in evidence.batches]
    seen = [other.target.least for other in others if other is not None]
    unshuffled = len(seen) == len(others) and len(set(seen)) > 1
    each = f"each of the {len(seen)} batches holds one class, and they differ"
    yield Diagnosis(
        severity=None if unshuffled else Severity.NOTE,
        cause="unshuffled-batches",
        message=each if unshuffled else f"all {labels.target.count} labels of this batch are {held} of {classes}",
        why=f"they hold the classes {', '.join(map(number, seen))}: what one teaches the next one takes back"
        if unshuffled
        else "a bias alone can learn that; if batches come one class after the other, shuffle the data",
        op=labels.op if labels.op >= 0 else labels.function,
        source=labels.source,
        numbers={"class": labels.target.least, "labels": labels.target.count},
    )


def _only_class(measured: Measurement) -> TargetComparison | None:
    """A loss over classes, where all labels of the batch are of one class; None where another loss has several.

    Labels that the code of the loss writes, as a contrastive one does, are no data, and ignored ones are below 0.
    """
    alike = {s.numel for s in (*measured.inputs, *measured.targets) if s.alike and not s.is_floating}
    found = [c for c in measured.comparisons if c.function in CLASS_CALLS and c.output.shape != c.target.shape]
    constant = [c for c in found if 0 <= c.target.least == c.target.most and c.target.count >= _FEW]
    given = [c for c in constant if c.target.count in alike and len(c.output.shape) > 1]
    return given[0] if given and len(constant) == len(found) else None


_FEW = 4
"""Targets that can be alike by chance."""


def unscaled_inputs(evidence: Evidence) -> Diagnoses:
    """The inputs are far from a scale of 1, nothing normalises them, and no other finding comes of it.

    Layers are initialised for inputs of about 1: larger ones make the first steps wild, fainter ones slow. A model can
    learn all the same, at a rate that suits it.
    """
    limits, inputs = evidence.thresholds, _quantities(evidence)
    scale = inputs.rms if inputs is not None else None
    if inputs is None or not scale or limits.faint_input < scale < limits.far_input:
        return
    if any(op.stem in NORMALIZATIONS for op in evidence.measurement.ops):
        return
    yield Diagnosis(
        severity=Severity.NOTE,
        cause="input-scale",
        message=f"the inputs are far from a scale of 1: the RMS of `{inputs.name}` is {number(scale)}",
        why="layers are initialised for about 1, and nothing here normalises; standardised inputs learn at usual rates",
        numbers={"input_rms": scale},
    )


def _quantities(evidence: Evidence) -> TensorStats | None:
    """The first floating input with columns that the loss does not take for its target."""
    targets = [c.target for c in evidence.measurement.comparisons if c.target.spread is not None]
    given = [(t.count, t.spread or 0.0) for t in targets]
    for stats in evidence.measurement.inputs:
        if not stats.is_floating or len(stats.shape) < 2:
            continue
        if not any(stats.numel == n and math.isclose(stats.std or 0.0, s, rel_tol=1e-3) for n, s in given):
            return stats
    return None


def column_in_words(evidence: Evidence) -> str:
    """The column that makes the inputs as large as they are, to end a sentence with; "" where there is none."""
    found = widest(evidence)
    if found is None:
        return ""
    return f"; column {found.column} of `{found.name}` is {number(found.widest or 0.0, 2)} times the median column"
