"""What the numbers of a run were just before an alarm."""

from __future__ import annotations

import math

from gradcheck_cli.records.timeline import AlarmKind, Raised, Vital

_MEMORY = 0.1
"""Share of the newest number in the mean: a memory of some ten steps."""


class UsualLevels:
    """Means of the losses and gradient norms of each optimiser."""

    def __init__(self) -> None:
        self._means: dict[tuple[int, str], float] = {}

    def before(self, alarm: Raised) -> float | None:
        """What the number of an alarm was at the steps before it."""
        return self._means.get((alarm.optimizer, "grad" if alarm.kind is AlarmKind.GRAD_SPIKE else "loss"))

    def take(self, vital: Vital) -> None:
        """The next update; what is not finite is no part of it."""
        for name, value in (("grad", vital.grad_norm), ("loss", vital.loss)):
            if value is not None and math.isfinite(value):
                was = self._means.get((vital.optimizer, name), value)
                self._means[vital.optimizer, name] = was + _MEMORY * (value - was)
