"""GC212 and GC213: data that the model cannot use, by its own numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import About, Severity
from gradcheck_cli.records.measurement import TensorStats
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.rules.wording import number

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

_NORMS = ("BatchNorm1d", "LayerNorm", "RMSNorm", "SyncBatchNorm", "GroupNorm")


def uneven_columns(evidence: Evidence) -> Diagnoses:
    """One column of the inputs is ten thousand times larger than the others, and a matrix reads them as they are.

    Columns are the features of a table; their RMS is compared with that of the median column. The largest one decides
    what the first layer puts out, and its gradient. A normalisation over the columns takes the scales away. Training
    decides.
    """
    found = widest(evidence)
    if found is None:
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
    """All samples of the batch are one and the same, or all targets are.

    Of such a batch a model learns one answer. It is a note: a batch made by hand to try a model out is often like it,
    and the labels of a discriminator are.
    """
    first = next((s for s in evidence.measurement.inputs if s.is_floating and len(s.shape) > 1), None)
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


_FEW = 4
"""Targets that can be alike by chance."""


def column_in_words(evidence: Evidence) -> str:
    """The column that makes the inputs as large as they are, to end a sentence with; "" where there is none."""
    found = widest(evidence)
    if found is None:
        return ""
    return f"; column {found.column} of `{found.name}` is {number(found.widest or 0.0, 2)} times the median column"
