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

    saturated_share: float = _of(
        "GC206",
        0.95,
        "Share of elements whose slope is below a hundredth of the largest.",  # in no healthy model half of a layer
        high=1.0,
    )


TUNABLE: dict[str, Bounds] = {each.name: each.metadata["bounds"] for each in fields(Thresholds)}
"""What every threshold belongs to, by its name."""
