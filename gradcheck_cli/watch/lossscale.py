"""A loss scale over a run: updates that a GradScaler skips, and a scale that never settles."""

from __future__ import annotations

from collections import deque

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Raised, Vital


class Scaling:
    """The loss scale of one optimiser.

    `overflow` is raised once, and once more where the scale grows back into it; `scale-collapse` is raised once.
    """

    def __init__(self) -> None:
        self._overflow: Raised | None = None
        self._again: Raised | None = None
        self._collapse: Raised | None = None
        self._falls: deque[tuple[int, float]] = deque(
            maxlen=ALARMING.regrown
        )  # updates that overflow anew, with scales
        self._updates = 0
        self._skipped = 0
        self._in_a_row = 0
        self._made_since = 0
        self._lowest: float | None = None
        self._lows = 0  # new lowest scales below the smallest that helps
        self._since_low = 0
        self._last_skip = 0

    def see(self, vital: Vital) -> tuple[Raised, ...]:
        """The next update; what is raised by it."""
        self._updates += 1
        self._since_low += 1
        if not vital.skipped:
            self._in_a_row = 0
            self._made_since += 1
            return ()
        if self._made_since and vital.scale is not None:
            self._falls.append((self._updates, vital.scale))
        self._skipped += 1
        self._in_a_row += 1
        self._made_since = 0
        self._last_skip = vital.step
        self._note_low(vital.scale)
        raised = []
        if self._overflow is None:
            self._overflow = _overflow(vital)
            raised.append(self._overflow)
        if self._again is None and self._regrows:
            self._again = _again(vital, self._updates - self._falls[0][0] + 1)
            raised.append(self._again)
        if self._collapse is None and (self._in_a_row >= ALARMING.skips_in_a_row or self._lows):
            self._collapse = _collapse(vital, self._in_a_row)
            raised.append(self._collapse)
        return tuple(raised)

    def _note_low(self, scale: float | None) -> None:
        if scale is None or (self._lowest is not None and scale >= self._lowest):
            return
        self._lowest = scale
        if scale < ALARMING.smallest_scale:
            self._lows += 1
            self._since_low = 0

    def judged(self) -> tuple[Judged, ...]:
        """What was raised, as the run so far judges it."""
        known = (
            (self._overflow, self._of_overflow()),
            (self._again, (Outcome.CONFIRMED, True) if self._regrows else (Outcome.RECOVERED, False)),
            (self._collapse, self._of_collapse()),
        )
        return tuple(
            Judged(raised=raised, last_step=self._last_skip, outcome=outcome, finding=bad, told=self._told())
            for raised, (outcome, bad) in known
            if raised is not None
        )

    @property
    def _regrows(self) -> bool:
        """Whether the scale keeps growing into overflow: it fell again and again of late, and is no lower for it."""
        if len(self._falls) < ALARMING.regrown:
            return False
        (first, was), (_, now) = self._falls[0], self._falls[-1]
        return self._updates - first < ALARMING.window and now >= was / 2

    def _told(self) -> str:
        scale = "" if self._lowest is None else f", the last at a loss scale of {self._lowest:,.10g}"
        return f"{self._skipped} of {self._updates} updates were skipped{scale}"

    @property
    def _settled(self) -> bool:
        return self._made_since >= min(ALARMING.settled, self._skipped)

    def _of_overflow(self) -> tuple[Outcome, bool]:
        return (Outcome.RECOVERED if self._settled else Outcome.OPEN), False

    def _of_collapse(self) -> tuple[Outcome, bool]:
        without_end = self._in_a_row >= ALARMING.skips_for_good
        below = self._lows > 0 and not self._settled
        sinking = self._lows >= ALARMING.level and self._since_low <= ALARMING.recovery
        if without_end or below or sinking:
            return Outcome.CONFIRMED, True
        return (Outcome.RECOVERED if self._settled else Outcome.OPEN), False


def _overflow(vital: Vital) -> Raised:
    scale = "" if vital.scale is None else f" at a loss scale of {vital.scale:,.10g}"
    return Raised(
        kind=AlarmKind.OVERFLOW,
        step=vital.step,
        optimizer=vital.optimizer,
        message=f"the update was skipped: a gradient overflowed{scale}",
        evidence={} if vital.scale is None else {"scale": vital.scale},
    )


def _again(vital: Vital, updates: int) -> Raised:
    return Raised(
        kind=AlarmKind.OVERFLOW,
        step=vital.step,
        optimizer=vital.optimizer,
        message=f"the loss scale grows back into overflow: {ALARMING.regrown} times within {updates} updates, each of "
        "which skips one",
        evidence={"again": ALARMING.regrown, "updates": updates, "scale": vital.scale or 0.0},
    )


def _collapse(vital: Vital, in_a_row: int) -> Raised:
    scale = "" if vital.scale is None else f", the loss scale is down to {vital.scale:,.10g}"
    evidence: dict[str, float | int | str] = {"skipped_in_a_row": in_a_row}
    if vital.scale is not None:
        evidence["scale"] = vital.scale
    return Raised(
        kind=AlarmKind.SCALE_COLLAPSE,
        step=vital.step,
        optimizer=vital.optimizer,
        message=f"{in_a_row} updates in a row were skipped{scale}",
        evidence=evidence,
    )
