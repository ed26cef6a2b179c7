"""Which steps were asked for: `--at`, `--steps`, and the first."""

from __future__ import annotations

from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.timeline import Vital, Why


class RequestedSteps:
    """Tells of every step whether it was asked for, and by what."""

    def __init__(self, options: RunOptions) -> None:
        pairs = [tuple(map(int, text.split(":"))) for text in options.at]
        self._steps = {pair[0] for pair in pairs if len(pair) == 1}
        self._of_optimizers = {pair for pair in pairs if len(pair) == 2}
        self._last, self._first = options.steps, options.first

    def why(self, vital: Vital) -> Why | None:
        """What asks for this step; None where nothing does."""
        if vital.step == self._last:
            return Why.STEPS
        if vital.step in self._steps or (vital.optimizer, vital.optimizer_step) in self._of_optimizers:
            return Why.AT
        return Why.FIRST if self._first and vital.step == 1 else None

    def is_over(self, vital: Vital) -> bool:
        """Whether this is the last step that is to be made."""
        return self._last is not None and vital.step >= self._last
