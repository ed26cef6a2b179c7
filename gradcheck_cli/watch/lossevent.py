"""An event of a run's loss: from the level before it, through what came next, to what the run made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Raised
from gradcheck_cli.watch.jumps import Jump
from gradcheck_cli.words import count_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Before:
    """What an event is held against.

    Attributes:
        updates: The optimiser's updates since its statistics began.
        level: The median loss just before.
        sigma: The noise of the loss then.
        start: The median of the first losses.
        largest: The largest magnitude that the loss had, beyond its noise.
        norm: The median gradient norm.
        burst: The factor between that and a spike.
    """

    updates: int
    level: float
    sigma: float
    start: float
    largest: float
    norm: float
    burst: float


class EventVerdict(NamedTuple):
    """What an event came to, as `Judged` tells it."""

    outcome: Outcome
    finding: bool
    told: str


class LossEvent:
    """One event, in constant memory.

    `raised` is None while it has not been raised: nothing about it is new, unless it stays.
    """

    def __init__(
        self, kind: AlarmKind, step: int, before: Before | None, *, norm_limit: float | None = None, slow: bool = False
    ) -> None:
        self.kind = kind
        self.step = step
        self.before = before
        self.slow = slow
        self.norm_limit = norm_limit
        self.jump: Jump | None = None
        self.raised: Raised | None = None
        self.height = 0.0  # sigmas
        self.age = 0
        self.last_step = step
        self.recovered = 0
        self.broken = 0
        self._back = False  # with its last loss
        self._worst = self._at_first = float("-inf")
        self._norm_peak = 0.0
        self._norms_after: list[float] = []
        self._levels: list[tuple[int, float]] = []  # at ages that double
        self._fixed: EventVerdict | None = None

    def see(self, step: int, norm: float | None, recent: Sequence[float]) -> None:
        """The next update: its number, its gradient norm, and the last losses up to it."""
        self.age += 1
        self.last_step = step
        if norm is not None and self.age <= 2 * ALARMING.level:
            self._norm_peak = max(self._norm_peak, norm)
        elif norm is not None and self.age <= ALARMING.patience:
            self._norms_after.append(norm)
        if self.before is None or not recent:
            return
        if self.kind is AlarmKind.LOSS_SPIKE and self.before.sigma > 0.0:
            self.height = max(self.height, (recent[-1] - self.before.level) / self.before.sigma)
        self._back = recent[-1] <= self.before.level + ALARMING.back * self.before.sigma
        if self.age < ALARMING.level or len(recent) < ALARMING.level:
            return
        if self.age == ALARMING.level:
            self._at_first = median(recent[-ALARMING.level :])
        self._worst = max(self._worst, median(recent[-ALARMING.level :]))
        if self.age < 2 * ALARMING.level:  # a gradient norm's spike may come some updates before the loss's
            return
        level = median(recent[-2 * ALARMING.level :])
        if level <= self.before.level + ALARMING.back * self.before.sigma and self._calm(norm):
            self.recovered = step
        elif not self._levels or self.age >= 2 * self._levels[-1][0]:
            self._levels.append((self.age, self._stays_at(recent)))

    def _calm(self, norm: float | None) -> bool:
        return self.norm_limit is None or norm is None or norm <= self.norm_limit

    def _stays_at(self, recent: Sequence[float]) -> float:
        return median(recent[-min(self.age, ALARMING.patience) :])

    def broke(self, step: int, recent: Sequence[float], *, game: bool) -> None:
        """Something is not finite: how an event under way ends, but neither an old one nor one that has passed."""
        if self._over:
            self.recovered = self.last_step
        elif self.age >= ALARMING.recovery:
            self.fix(recent, game=game)
        else:
            self.broken = self.last_step = step

    @property
    def is_of_the_norm(self) -> bool:
        """Whether it was the gradient norm that gave it away, not the loss."""
        return self.kind is AlarmKind.GRAD_SPIKE or self.norm_limit is not None

    @property
    def done(self) -> bool:
        """Whether nothing that comes can change the verdict."""
        return bool(self.broken or self.recovered)

    @property
    def passed(self) -> bool:
        """Whether the next spike is another event. The loss that follows a gradient norm's spike is not."""
        return self.age >= ALARMING.patience or self._over

    @property
    def _over(self) -> bool:
        return self.kind is AlarmKind.LOSS_SPIKE and self._back

    def fix(self, recent: Sequence[float], *, game: bool) -> None:
        """The statistics start anew, and with them what the level before means: only a recovery still counts."""
        if self._fixed is None:
            self._fixed = self._verdict(recent, game=game)

    def followed(self, recent: Sequence[float], *, game: bool) -> None:
        """Another event begins: if this one has come to an end before it, that stands."""
        if self._over:
            self.recovered = self.last_step
        if self.before is None or self.age < ALARMING.patience:
            return
        on_its_way = self._on_its_way(self._stays_at(recent), self.before)
        if on_its_way or self._verdict(recent, game=game).outcome is Outcome.CONFIRMED:
            self.fix(recent, game=game)

    def judged(self, recent: Sequence[float], *, game: bool) -> Judged:
        """The event as the run so far judges it; only of one that was raised."""
        assert self.raised is not None
        outcome, finding, told = self._verdict(recent, game=game)
        return Judged(raised=self.raised, last_step=self.last_step, outcome=outcome, finding=finding, told=told)

    def _verdict(self, recent: Sequence[float], *, game: bool) -> EventVerdict:
        if self.broken:
            return EventVerdict(Outcome.CONFIRMED, True, f"at step {self.broken} something was not finite")
        before = self.before
        if before is None:
            return EventVerdict(Outcome.OPEN, False, "the loss is not known, so nothing says what came of it")
        if 0.0 < ALARMING.wiped_out * before.largest <= self._worst:
            told = f"the loss grew to {self._worst:.3g}: next to that nothing is left of what the weights were before"
            return EventVerdict(Outcome.CONFIRMED, True, told)
        if self.recovered:
            return EventVerdict(Outcome.RECOVERED, False, _came_back(self.recovered - self.step, before))
        return self._fixed or self._still_away(before, recent, game=game)

    def _still_away(self, before: Before, recent: Sequence[float], *, game: bool) -> EventVerdict:
        if len(recent) == 0 or not self._levels:
            # Or what followed was not finite, and skipped.
            ended = f"the run ended {count_of(self.age - 1, 'update')} later"
            return EventVerdict(
                Outcome.OPEN, False, ended if self.age < 2 * ALARMING.level else "few losses followed it"
            )
        level = self._stays_at(recent)
        far = level >= ALARMING.climbed * before.largest
        seen = f"{count_of(self.age - 1, 'update')} later the loss is at {level:.3g}, from {before.level:.3g} before"
        if self._on_its_way(level, before):
            return EventVerdict(Outcome.OPEN, far, f"{seen}; it was coming down")
        if self.age < self._patience(before):
            return EventVerdict(Outcome.OPEN, far, f"{seen}; the run ended too early to tell")
        if level <= before.level + ALARMING.back * before.sigma:
            return EventVerdict(Outcome.RECOVERED, False, f"{seen}: within its noise")
        slow = self.slow or not self._at_once(level, before) or not self._hurts(before)
        share = ALARMING.lost_in_a_burst if self._burst(before) else ALARMING.lost
        if far or (_lost(level, before, share) and not game and not slow):
            return EventVerdict(Outcome.CONFIRMED, True, seen)
        return EventVerdict(Outcome.OPEN, False, f"{seen}; {_why_open(game=game, slow=slow)}")

    @staticmethod
    def _patience(before: Before) -> int:
        """What was learned in n updates is learned again in n."""
        return min(max(before.updates, ALARMING.patience), ALARMING.recovery)

    def _on_its_way(self, level: float, before: Before) -> bool:
        """Whether it has made half of the way back, or at the pace of the last half makes it in as long again."""
        if len(self._levels) < 2:
            return False
        lost = min(self._soon, before.start)
        if lost - level >= ALARMING.regained * (lost - before.level) > 0.0:
            return True
        halfway = [seen for age, seen in self._levels if 2 * age <= self.age]
        return bool(halfway) and 2.0 * (halfway[-1] - level) >= level - before.level

    @property
    def _soon(self) -> float:
        """The level after about 20 updates, when a spike's own height has passed."""
        return self._levels[:2][-1][1]

    def _burst(self, before: Before) -> bool:
        """Whether the gradient norm rose far above what it was before, and above what it is with the loss that stayed.

        Data that are harder, or more noise, raise both for good.
        """
        if not self._norms_after:
            return False
        return self._norm_peak >= before.burst * max(before.norm, median(self._norms_after))

    def _hurts(self, before: Before) -> bool:
        """Whether the loss shows what an update did: that is in the very next losses, or it did nothing."""
        return self.jump is None or self._at_first > before.level + ALARMING.back * before.sigma

    def _at_once(self, level: float, before: Before) -> bool:
        """Whether the loss went most of its way up with the event, rather than in a climb that came later."""
        return self._soon - before.level >= ALARMING.at_once * (level - before.level)


def _lost(level: float, before: Before, share: float) -> bool:
    """Whether that share of what was learned is lost, beyond the noise."""
    lost = level - before.level
    return lost > ALARMING.back * before.sigma and lost >= share * (before.start - before.level)


def _came_back(steps: int, before: Before) -> str:
    return f"the loss was back at its level from before, {before.level:.3g}, within {steps} steps"


def _why_open(*, game: bool, slow: bool) -> str:
    if game:
        return "optimisers with losses of their own play against each other, so that alone is no fault"
    if slow:
        return "a loss may also climb because what is learned changes, as rewards do"
    return "less than half of what was learned is lost"
