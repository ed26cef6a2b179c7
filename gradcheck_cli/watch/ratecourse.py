"""The learning rate of one optimiser over its updates: where it rose last, which an alarm soon after has to tell."""

from __future__ import annotations

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.raterise import RateRise
from gradcheck_cli.records.timeline import Vital
from gradcheck_cli.watch.phases import LR_JUMP


class RateCourse:
    """Fed with every update that is read, in constant memory."""

    def __init__(self) -> None:
        self._low: tuple[int, float] | None = None  # from where the rate has not fallen since
        self._last = (0, 0.0)
        self._rise: RateRise | None = None

    def see(self, vital: Vital) -> None:
        """The next update."""
        if vital.rate is None:
            return
        now, before = (vital.step, vital.rate), self._last[1]
        if self._low is None or vital.rate < before or vital.rate == self._low[1] or self._rests(now):
            self._low = now
        elif vital.rate > before:
            self._rise = RateRise(first_step=self._low[0], first_rate=self._low[1], last_step=now[0], last_rate=now[1])
        self._last = now

    def _rests(self, now: tuple[int, float]) -> bool:
        """Whether the rate has stayed where it rose to, so that what comes is another rise."""
        return self._rise is not None and now[1] == self._last[1] and now[0] - self._rise.last_step > ALARMING.window

    @property
    def rise(self) -> RateRise | None:
        """The last rise, where it is one by a factor, not long past and not taken back by now."""
        rise, (step, rate) = self._rise, self._last
        if rise is None or rise.last_rate < LR_JUMP * rise.first_rate or rate * LR_JUMP < rise.last_rate:
            return None
        soon = max(ALARMING.window, rise.last_step - rise.first_step)
        return rise if step - rise.last_step <= soon else None
