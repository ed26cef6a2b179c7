"""A gradient through time."""

from __future__ import annotations

from dataclasses import dataclass

STEPS = 8
"""Uses from which on a weight counts as recurrent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """A parameter that is used at many steps, and the gradient that each step receives.

    `norms` holds the signal at each use in the order of the forward pass. `carry` holds, for each
    step but the last, what arrives from the following step over what that step holds.
    `horizon` counts the steps back from the largest signal that carry at least 1 % of it;
    `attenuation` is in decades per step, negative where the signal decays.
    """

    parameter: int
    steps: int
    norms: tuple[float, ...]
    carry: tuple[float, ...]
    horizon: int
    attenuation: float
