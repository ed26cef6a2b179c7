"""A rise of the learning rate, as an alarm after it tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class RateRise:
    """Steps over which the largest learning rate of an optimiser never fell: first and last, with their rates."""

    first_step: int
    first_rate: float
    last_step: int
    last_rate: float

    @property
    def evidence(self) -> dict[str, float | int | str]:
        """Its numbers by name, as those of an alarm."""
        return {
            "rate_before": self.first_rate,
            "rate_before_step": self.first_step,
            "rate_risen": self.last_rate,
            "rate_risen_step": self.last_step,
        }

    @property
    def told(self) -> str:
        """It in words."""
        return (
            f"the learning rate rose from {self.first_rate:.3g} to {self.last_rate:.3g} between steps "
            f"{self.first_step} and {self.last_step}"
        )

    @classmethod
    def of(cls, evidence: Mapping[str, float | int | str]) -> RateRise | None:
        """The one that an alarm's numbers tell; None where they tell none."""
        if "rate_risen" not in evidence:
            return None
        return cls(
            first_step=int(evidence["rate_before_step"]),
            first_rate=float(evidence["rate_before"]),
            last_step=int(evidence["rate_risen_step"]),
            last_rate=float(evidence["rate_risen"]),
        )
