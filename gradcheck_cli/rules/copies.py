"""GC218: units of a layer that are one and the same, and stay so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import named, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

_MATRICES = ("Linear", "LazyLinear", "Conv1d", "Conv2d", "Conv3d")
"""Layers whose weight has a row for each unit."""


def copied_units(evidence: Evidence) -> Diagnoses:
    """All units of a layer have the same weights and get the same gradient, so they stay copies of each other.

    A layer that starts with one constant in every weight computes one number, however wide it is, where the layer
    above reads its units alike. Weights that start at 0 under different gradients part at the first step, and so do
    those that dropout tells apart: both have to be equal, in all rows. Random weights are what makes units differ.
    """
    modules = evidence.measurement.modules
    same = [m for m in evidence.trainable if modules[m].kind in _MATRICES and _is_copied(evidence, m)]
    if not same:
        return
    layers = tuple(evidence.graph.path_of(m) for m in sorted(same, key=evidence.paths.position))
    units = max(p.shape[0] for m in same for p in evidence.graph.parameters_of(m) if p.copies)
    yield Diagnosis(
        layers=layers,
        cause="symmetric-init",
        message=f"all units of {named(layers)} have the same weights and get the same gradient: "
        f"{verb(layers, 'it stays', 'they stay')} as good as one unit, where the widest has {units:,}",
        why="all rows of the weight are equal, and so are all rows of its gradient",
        source=evidence.layers[same[0]].source,
        numbers={"units": units},
    )


def _is_copied(evidence: Evidence, module: int) -> bool:
    return any(p.copies for p in evidence.graph.parameters_of(module))
