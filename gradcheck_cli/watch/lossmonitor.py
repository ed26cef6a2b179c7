"""The losses and gradient norms of one optimiser: what is raised, and the events that come of it."""

from __future__ import annotations

import math
import sys
from collections import deque
from statistics import median

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import AlarmKind, Judged, Raised, Vital
from gradcheck_cli.watch.jumps import Jump, Jumps
from gradcheck_cli.watch.lossevent import Before, LossEvent
from gradcheck_cli.watch.statistics import RobustWindow

_LIVE = 8  # events whose end is awaited at once
_LARGEST = math.log(sys.float_info.max)
"""What can be raised to e: norms of 0 among others make a spread without end."""


class LossMonitor:
    """The series of one optimiser. Its statistics start anew with `Vital.phase`, and its events go on."""

    def __init__(self) -> None:
        self._events: list[LossEvent] = []
        self._live: list[LossEvent] = []
        self._phase: int | None = None
        self._begin(0)

    def _begin(self, phase: int) -> None:
        self._phase = phase
        self._updates = 0
        self._recent: deque[float] = deque(maxlen=ALARMING.patience)
        self._losses = RobustWindow(ALARMING.window)
        self._norms = RobustWindow(ALARMING.window)  # their logarithms
        self._jumps = Jumps()
        self._jumped: Jump | None = None  # in the last update
        self._largest = 0.0
        self._largest_norm = 0.0
        self._first_loss = self._first_norm = 0.0
        self._start = 0.0
        self._lowest: tuple[float, float] | None = None  # level and sigma where the loss was lowest
        self._borne = dict.fromkeys(AlarmKind, 0.0)  # sigmas that the run came back from

    # -- seen

    def see(self, vital: Vital, *, game: bool) -> tuple[Raised, ...]:
        """The next update; what is raised by it. A value that is not finite is no part of the series."""
        if vital.phase != self._phase:
            for event in self._live:
                event.fix(list(self._recent), game=game)
            self._begin(vital.phase)
        loss = vital.loss if vital.loss is not None and math.isfinite(vital.loss) else None
        norm = vital.grad_norm if vital.grad_norm is not None and math.isfinite(vital.grad_norm) else None
        jumped, self._jumped = self._jumped, None
        opened = self._opened(vital.step, loss, norm, jumped)
        self._updates += 1
        if loss is not None:
            self._take_loss(loss)
        # A norm of exactly 0, as a loss has that is masked for a while, is no size of a gradient.
        if norm is not None and norm > 0.0:
            self._take_norm(norm)
        raised = []
        if opened is not None:
            self._admit(opened, game=game)
            if self._is_novel(opened):
                raised.append(self._raise(opened, vital, loss, norm))
        if self._live and not vital.skipped:  # an update that was left out says nothing of what came of an event
            raised += self._follow(vital, loss, norm)
        return tuple(raised)

    def sampled(self, sample: Sample) -> None:
        """What was read at the last update, if it was a sampled one; it is heard at the next."""
        self._jumped = self._jumps.see(sample)

    @property
    def usual(self) -> tuple[float, float] | None:
        """The loss and the gradient norm up to which nothing is raised; None while each update may be of weight."""
        full = len(self._losses) >= ALARMING.window and len(self._norms) >= ALARMING.window
        if self._live or self._jumped is not None or not full:
            return None
        return self._losses.greatest, math.exp(self._norms.greatest)

    def _take_loss(self, loss: float) -> None:
        if not self._recent:
            self._first_loss = abs(loss)
        self._recent.append(loss)
        self._losses.append(loss)
        if len(self._losses) <= ALARMING.level:
            self._start = self._losses.median
        self._largest = max(self._largest, abs(loss))

    def _take_norm(self, norm: float) -> None:
        if self._largest_norm == 0.0:
            self._first_norm = norm
        self._norms.append(math.log(norm))
        self._largest_norm = max(self._largest_norm, norm)

    def _follow(self, vital: Vital, loss: float | None, norm: float | None) -> list[Raised]:
        """What came of the events that are open; one that is raised late tells of this update's loss or norm."""
        raised = []
        recent = list(self._recent)
        for event in self._live:
            event.see(vital.step, norm, recent)
            grown = event.kind is AlarmKind.LOSS_SPIKE and self._is_novel(event)
            due = event.jump is None and (event.age >= ALARMING.patience or grown) and not event.done
            if due and event.raised is None and (norm if event.is_of_the_norm else loss) is not None:
                raised.append(self._raise(event, vital, loss, norm))
            if event.recovered:
                self._borne[event.kind] = max(self._borne[event.kind], event.height)
        self._live = [event for event in self._live if not event.done]
        return raised

    def _is_novel(self, event: LossEvent) -> bool:
        """Whether it is far above all that the run came back from."""
        return event.height > ALARMING.novel * self._borne[event.kind]

    def broke(self, step: int, *, game: bool) -> None:
        """Something was not finite: nothing that comes can be held against the level before."""
        for event in self._live:
            event.broke(step, list(self._recent), game=game)
        self._live = []

    def judged(self, *, game: bool) -> tuple[Judged, ...]:
        """All that was raised, as the run so far judges it."""
        recent = list(self._recent)
        return tuple(event.judged(recent, game=game) for event in self._events if event.raised is not None)

    # -- opened

    def _opened(self, step: int, loss: float | None, norm: float | None, jumped: Jump | None) -> LossEvent | None:
        if not all(event.passed for event in self._live):
            return None
        if jumped is not None:  # what comes with this step is of its making
            event = self._event(AlarmKind.UPDATE_SPIKE, step, jumped.height)
            event.jump = jumped
            return event
        found = self._exploded(step, loss, norm) or self._spiked(step, loss, norm)
        return found or (None if loss is None else self._climbed(step))

    def _exploded(self, step: int, loss: float | None, norm: float | None) -> LossEvent | None:
        """Too early for statistics: a loss or a gradient norm far beyond anything before."""
        if self._updates >= ALARMING.warm_up:
            return None
        if loss is not None and 0.0 < self._largest * ALARMING.explosion < loss:
            return self._event(AlarmKind.DIVERGING, step, loss / self._largest)
        if loss is not None and 0.0 < self._first_loss * ALARMING.explosion < loss:  # by a factor at each update
            return self._event(AlarmKind.DIVERGING, step, loss / self._first_loss)
        if norm is not None and 0.0 < self._largest_norm * ALARMING.explosion < norm:
            limit = self._largest_norm * ALARMING.explosion
            return self._event(AlarmKind.DIVERGING, step, norm / self._largest_norm, norm_limit=limit)
        if norm is not None and 0.0 < self._first_norm * ALARMING.explosion < norm:
            limit = self._first_norm * ALARMING.explosion
            return self._event(AlarmKind.DIVERGING, step, norm / self._first_norm, norm_limit=limit)
        return None

    def _spiked(self, step: int, loss: float | None, norm: float | None) -> LossEvent | None:
        if loss is not None and len(self._losses) >= ALARMING.warm_up and loss > self._losses.greatest:
            height = self._losses.spike(loss, self._loss_sigma())
            if height:
                return self._event(AlarmKind.LOSS_SPIKE, step, height)
        if norm is not None and len(self._norms) >= ALARMING.warm_up and norm > ALARMING.noticed * self._first_norm:
            height = self._norms.spike(math.log(norm), ALARMING.norm_sigma)
            if height:
                return self._event(AlarmKind.GRAD_SPIKE, step, height)
        return None

    def _climbed(self, step: int) -> LossEvent | None:
        """A slow climb: the level of the window against the lowest that it had."""
        if len(self._losses) < ALARMING.window:
            return None
        level = self._losses.median
        if self._lowest is None or level < self._lowest[0]:
            self._lowest = level, max(self._losses.sigma, self._loss_sigma())
            return None
        lowest, sigma = self._lowest
        climbed = (level - lowest) / sigma if sigma else 0.0
        if (
            self._live
            or climbed < ALARMING.spike
            or climbed < ALARMING.novel * self._borne[AlarmKind.DIVERGING]
            or level - lowest < ALARMING.drift * (self._start - lowest)
        ):
            return None
        event = LossEvent(AlarmKind.DIVERGING, step, self._before_at(lowest, sigma), slow=True)
        event.height = climbed
        return event

    def _event(self, kind: AlarmKind, step: int, height: float, *, norm_limit: float | None = None) -> LossEvent:
        event = LossEvent(kind, step, self._before(), norm_limit=norm_limit)
        event.height = height
        return event

    def _before(self) -> Before | None:
        if not self._recent:
            return None
        recent = list(self._recent)
        parts = recent[-ALARMING.level :], recent[-2 * ALARMING.level : -ALARMING.level]
        level = min(median(part) for part in parts if part)  # it may have begun some updates before it was noticed
        sigma = max(self._losses.sigma, self._loss_sigma())
        return self._before_at(level, sigma)

    def _before_at(self, level: float, sigma: float) -> Before:
        known = len(self._norms) > 0
        spread = ALARMING.spike * max(self._norms.sigma, ALARMING.norm_sigma) if known else 0.0
        return Before(
            updates=self._updates,
            level=level,
            sigma=sigma,
            start=self._start,
            largest=max(self._largest, ALARMING.spike * sigma),
            norm=math.exp(self._norms.median) if known else 0.0,
            burst=math.exp(min(spread, _LARGEST)),
        )

    def _loss_sigma(self) -> float:
        """The least noise that a loss has: what it is computed with, and what is next to nothing of what it fell by."""
        level = self._losses.median
        return max(ALARMING.loss_sigma * abs(level), ALARMING.noticed * abs(self._start - level))

    def _admit(self, event: LossEvent, *, game: bool) -> None:
        self._events = [each for each in self._events if each.raised is not None or each in self._live]
        for each in self._live:
            each.followed(list(self._recent)[:-1], game=game)
        self._live = [each for each in self._live if not each.done]
        self._events.append(event)
        self._live.append(event)
        if len(self._live) > _LIVE:
            self._live.pop(0).fix(list(self._recent), game=game)

    # -- raised

    def _raise(self, event: LossEvent, vital: Vital, loss: float | None, norm: float | None) -> Raised:
        event.raised = Raised(
            kind=event.kind,
            step=vital.step,
            optimizer=vital.optimizer,
            message=_message(event, vital.step, loss, norm),
            evidence=_evidence(event, loss, norm),
        )
        return event.raised


def _message(event: LossEvent, step: int, loss: float | None, norm: float | None) -> str:
    level = "" if event.before is None else f", from {event.before.level:.3g} before"
    if event.kind is AlarmKind.LOSS_SPIKE:
        late = f", which began to rise at step {event.step}, is at" if event.step < step else " jumped to"
        return f"the loss{late} {loss:.3g}{level}"
    if event.jump is not None:
        after = "; explained by the step after it, since its own had passed when it was seen"
        return f"{event.jump.told}, {event.height:.1f} sigmas above its median{after}"
    if event.kind is AlarmKind.GRAD_SPIKE:
        return f"the gradient norm jumped to {norm:.3g}, {event.height:.1f} sigmas above its median"
    if event.slow:
        return f"the loss has climbed to {loss:.3g}{level}"
    if event.norm_limit is not None:
        return f"the gradient norm grew to {norm:.3g}, {event.height:.1e} times what it was"
    return f"the loss grew to {loss:.3g}{level}"


def _evidence(event: LossEvent, loss: float | None, norm: float | None) -> dict[str, float | int | str]:
    values = {"loss": loss, "grad_norm": norm, "height": event.height, **(event.jump.values if event.jump else {})}
    if event.before is not None:
        values |= {"loss_before": event.before.level, "sigma_before": event.before.sigma}
    return {name: value for name, value in values.items() if value is not None}
