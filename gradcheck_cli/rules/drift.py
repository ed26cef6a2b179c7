"""GC620: gradients that are not what they were in the baseline."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradcheck_cli.records.report import Layer
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import named

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def gradient_drift(evidence: Evidence) -> Diagnoses:
    """The gradients of layers have moved by decades since the baseline was written, healthy or not.

    Judged by log10 of the L2 norm of each layer's gradient, now and then, against the number of decades that
    --drift or `drift` in gradcheck.yaml allows; told only where that and a baseline are given. Layers that
    were ill in the baseline may move, and a finding above that explains all layers that moved takes the place of
    this one. --update-baseline accepts the new gradients.
    """
    if evidence.drift is None:
        return
    before, limit = evidence.drift.before, evidence.drift.limit
    now = {m: found for m, layer in evidence.layers.items() if (found := _scale(layer)) is not None}
    moved = {m: decades - before[path] for m, decades in now.items() if (path := evidence.graph.path_of(m)) in before}
    far = {m: by for m, by in moved.items() if abs(by) > limit}
    if not far:
        return
    worst = max(far, key=lambda m: abs(far[m]))
    layers = tuple(evidence.graph.path_of(m) for m in far)
    was = before[evidence.graph.path_of(worst)]
    yield Diagnosis(
        layers=layers,
        cause="drift",
        message=f"the gradient of {named(layers)} {_moved(far[worst])} since the baseline",
        why=f"log10 of the gradient norm of `{layers[list(far).index(worst)]}` was {was:.2f} and is {now[worst]:.2f}; "
        f"{limit:g} decades are allowed",
        source=evidence.layers[worst].source,
        numbers={"before": was, "after": now[worst], "moved": far[worst], "allowed": limit},
    )


def _scale(layer: Layer) -> float | None:
    return -math.inf if layer.grad_norm == 0 else layer.decades


def _moved(by: float) -> str:
    return "has become zero" if by == -math.inf else f"moved by up to {by:+.1f} decades"
