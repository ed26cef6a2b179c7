"""Where a run itself changes: its statistics start anew there (THEORY.md, section 7)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

LR_JUMP = 2.0
"""Times by which a learning rate rises at once where a schedule starts again; a warm-up rises by less in a step."""


class Phases:
    """Numbers the phases of each optimiser's steps."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Hashable, tuple[float, ...], int]] = {}

    def of(self, optimizer: int, what: Hashable, rates: Sequence[float]) -> int:
        """The phase of a step.

        Args:
            optimizer: Its number.
            what: Whatever makes a step one of another kind: which loss, which model, how many parameters learn.
            rates: The learning rate of each group.
        """
        rates = tuple(rates)
        was, before, phase = self._seen.get(optimizer, (what, rates, 0))
        if (what, rates) == (was, before):
            self._seen.setdefault(optimizer, (what, rates, phase))
            return phase
        jumped = any(now > LR_JUMP * then for now, then in zip(rates, before, strict=False) if then > 0)
        phase += int(what != was or jumped)
        self._seen[optimizer] = (what, rates, phase)
        return phase

    def now(self, optimizer: int) -> int:
        """The phase of its last step that was asked for."""
        return self._seen[optimizer][2]
