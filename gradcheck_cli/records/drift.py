"""How far gradients may move away from those of an earlier run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """What the gradients of a run are held against.

    Attributes:
        limit: Decades that the gradient norm of a layer may move, up or down.
        before: log10 of the gradient norm then, by the layer's path, where there was a finite one above zero.
    """

    limit: float
    before: Mapping[str, float]
