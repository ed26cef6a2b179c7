"""The numbers that a verdict turns on and that a user may move, each with its rule, bounds and origin."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple


class Bounds(NamedTuple):
    """What a threshold belongs to and may be: `low` <= value <= `high`."""

    rule: str
    low: float
    high: float
    meaning: str


def _of(rule: str, default: float, meaning: str, *, low: float = 0.0, high: float = 1e30) -> Any:
    return field(default=default, metadata={"bounds": Bounds(rule, low, high, meaning)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """One number a field; the rules read them from `Evidence.thresholds`."""

    slower_decades: float = _of(
        "GC201",
        4.0,  # it would train ten thousand times slower (THEORY.md, section 4)
        "Decades that a layer's relative gradient may lie below the typical layer's.",
    )
    forgotten_decades: float = _of(
        "GC202",
        10.0,  # float32 resolves 7.2 decades: what is this much smaller leaves no trace in the sum
        "Decades that a gradient may lose over a sequence.",
    )
    gated_forgotten_decades: float = _of("GC202", 30.0, "The same for cells with open gates, which learn to keep more.")
    insensitive_elasticity: float = _of(
        "GC203",
        1e-5,  # 1 % of its weights moves the loss by a ten-millionth
        "Elasticity below which a layer hardly moves the loss.",
    )
    saturated_share: float = _of(
        "GC206",
        0.95,  # no healthy model of the calibration corpus, trained ones included, has half of a layer there
        "Share of elements whose slope is below a hundredth of the largest.",
        high=1.0,
    )
    exploding_elasticity: float = _of(
        "GC301",
        1e3,  # 0.1 % of a layer's weights changes the loss by its own size (THEORY.md, section 4)
        "Elasticity above which a layer's gradient explodes.",
    )
    growth_decades: float = _of("GC302", 3.0, "Decades that a gradient may grow over a sequence.")
    loss_over_chance: float = _of(
        "GC303",
        100.0,  # logits of standard deviation s lose about s * sqrt(2 ln C): tens of times too large
        "First loss over ln C, the loss of guessing among C classes.",
    )
    target_over_output: float = _of("GC303", 1e3, "RMS of a regression's targets over that of its first output.")
    output_over_target: float = _of(
        "GC303",
        30.0,  # the first squared error is a thousand times that of predicting nothing
        "RMS of a regression's first output over that of its targets.",
    )
    dead_share: float = _of(
        "GC403",
        0.95,  # healthy ReLU nets, trained ones included, stay below 0.6
        "Share of units at zero over the whole batch.",
        high=1.0,
    )
    largest_update: float = _of(
        "GC601",
        0.3,  # throws away much of what a layer is; healthy are 1e-4 to 1e-2 (THEORY.md, section 4)
        "L2 norm of the first update over that of the layer's weights.",
    )
    smallest_update: float = _of(
        "GC602",
        1e-6,  # ten thousand steps move a layer by a hundredth of itself
        "The same, for a step that is too small.",
    )


TUNABLE: dict[str, Bounds] = {each.name: each.metadata["bounds"] for each in fields(Thresholds)}
"""What every threshold belongs to, by its name."""
