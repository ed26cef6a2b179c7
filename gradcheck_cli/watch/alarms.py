"""The alarms of a run, fed with what was read at every step: raised at once, judged by what comes next.

THEORY.md, section 7: no threshold tells a spike that matters from one that does not, so an alarm is raised early, while
the step can be repeated, and the rest of the run is its judge. Everything here is pure, costs microseconds a step and
keeps windows, never a series: it runs within the script, and once more over the session file, with the same answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.raterise import RateRise
from gradcheck_cli.records.session import Sample, Withdrawn
from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Raised, Vital
from gradcheck_cli.watch.copyalarm import CopyAlarm
from gradcheck_cli.watch.lossmonitor import LossMonitor
from gradcheck_cli.watch.lossscale import Scaling
from gradcheck_cli.watch.ratecourse import RateCourse
from gradcheck_cli.watch.stalls import StallDetector

_OF_THE_LOSS = frozenset((AlarmKind.LOSS_SPIKE, AlarmKind.SWINGING, AlarmKind.DIVERGING))
IN_BLOCKS = "unshuffled-batches"
"""The cause of a loss that goes up and down with the blocks of the data."""
SEEN = "the calls were seen"
"""What an exact fault is judged by."""


class Alarms:
    """All alarms of one process."""

    def __init__(self) -> None:
        self._losses: dict[int, LossMonitor] = {}
        self._scaling: dict[int, Scaling] = {}
        self._stalls: dict[int, StallDetector] = {}
        self._rates: dict[int, RateCourse] = {}
        self._rises: dict[tuple[int, int], RateRise | None] = {}  # before an alarm, by optimiser and step
        self._copied = CopyAlarm()
        self._known: list[Raised] = []
        self._withdrawn: dict[tuple[str, int], int] = {}  # by rule and optimiser, with the step
        self._broken: list[tuple[Raised, int]] = []  # with the last step of each
        self._finite_since = ALARMING.warm_up
        self._last: Vital | None = None
        self._game = False

    def see(self, vital: Vital) -> tuple[Raised, ...]:
        """Take in the next attempted update, in order of `Vital.step`.

        Returns:
            What it raises: mostly nothing.
        """
        self._note_game(vital)
        raised: tuple[Raised, ...] = ()
        if vital.skipped or vital.optimizer in self._scaling:
            raised += self._scaling.setdefault(vital.optimizer, Scaling()).see(vital)
        if not vital.skipped:
            raised += self._unless_finite(vital)
        losses = self._losses.get(vital.optimizer)
        if losses is None:
            losses = self._losses[vital.optimizer] = LossMonitor()
        raised += losses.see(vital, game=self._game)
        copied = self._copied.see(vital)
        raised += self._unless_learning(vital, losses) + (() if copied is None else (copied,))
        self._rates.setdefault(vital.optimizer, RateCourse()).see(vital)
        if not raised:
            return ()
        self._rises[vital.optimizer, vital.step] = self._rates[vital.optimizer].rise
        return tuple(map(self._after_rise, raised))

    def _after_rise(self, raised: Raised) -> Raised:
        """An alarm with the rise of the learning rate that came just before it, if there was one."""
        rise = self._rises.get((raised.optimizer, raised.step))
        return raised if rise is None else replace(raised, evidence={**raised.evidence, **rise.evidence})

    def sampled(self, sample: Sample) -> None:
        """What was read of the last update, where that was a sampled one; it is heard at the next."""
        self._copied.sampled(sample)
        self._stalls.setdefault(sample.optimizer, StallDetector()).sampled(sample)
        if sample.optimizer in self._losses:
            self._losses[sample.optimizer].sampled(sample)

    def usual(self, optimizer: int) -> tuple[float, float] | None:
        """The loss and the gradient norm of an optimiser up to which nothing is raised; None where that may be."""
        losses = self._losses.get(optimizer)
        return None if losses is None or optimizer in self._scaling else losses.usual

    def _unless_learning(self, vital: Vital, losses: LossMonitor) -> tuple[Raised, ...]:
        """A run that does not learn, where nothing else went wrong in it."""
        detector = self._stalls.get(vital.optimizer)
        if detector is None:
            detector = self._stalls[vital.optimizer] = StallDetector()
        found = detector.see(vital)
        if found is None:
            return ()
        if self._game or self._broken or any(map(_stands, losses.judged(game=self._game))):
            detector.withdraw()
            return ()
        return (found,)

    def know(self, raised: Raised) -> None:
        """Take in a fault that is known exactly, by the calls: it stands until it is withdrawn."""
        self._known.append(raised)

    def withdraw(self, withdrawn: Withdrawn) -> None:
        """Take in that such a fault has passed."""
        self._withdrawn[withdrawn.code, withdrawn.optimizer] = withdrawn.step

    def _judged_known(self, raised: Raised, last: int) -> Judged:
        """A fault that the calls showed; one that has passed is a thing of its first steps."""
        passed = self._withdrawn.get((str(raised.evidence["code"]), raised.optimizer))
        if passed is None:
            last = max(last, raised.step)
            return Judged(raised=raised, last_step=last, outcome=Outcome.CONFIRMED, finding=True, told=SEEN)
        told = f"at step {passed} that was over"
        return Judged(raised=raised, last_step=passed, outcome=Outcome.RECOVERED, finding=False, told=told)

    def judged(self) -> tuple[Judged, ...]:
        """All that was raised, in the order of its steps, as the run so far judges it."""
        judged = [
            Judged(raised=raised, last_step=last, outcome=Outcome.CONFIRMED, finding=True, told="it is not finite")
            for raised, last in self._broken
        ]
        last = self._last.step if self._last else 0
        judged += [self._judged_known(raised, last) for raised in self._known]
        for losses in self._losses.values():
            judged += losses.judged(game=self._game)
        for scaling in self._scaling.values():
            judged += scaling.judged()
        judged += self._copied.judged()
        told = any(map(_stands, judged))
        for detector in self._stalls.values():
            judged += detector.judged(game=self._game, told=told)
        settled = map(self._of_the_order, map(_overtaken(judged), judged))
        told_whole = (replace(each, raised=self._after_rise(each.raised)) for each in settled)
        return tuple(sorted(told_whole, key=lambda each: each.raised.step))

    def _of_the_order(self, judged: Judged) -> Judged:
        """A swing or a jump of the loss where batches come in blocks: it is the data's, not the learning rate's."""
        detector, raised = self._stalls.get(judged.raised.optimizer), judged.raised
        if raised.kind not in _OF_THE_LOSS or detector is None or not detector.order:
            return judged
        told = f"{judged.told}; {detector.order}"
        return replace(judged, told=told, raised=replace(raised, evidence={**raised.evidence, "cause": IN_BLOCKS}))

    def _note_game(self, vital: Vital) -> None:
        """Optimisers that follow each other with different losses have each an objective of its own (a GAN)."""
        last, self._last = self._last, vital
        if last is not None and vital.optimizer > last.optimizer and None not in (vital.loss, last.loss):
            self._game = self._game or vital.loss != last.loss

    def _unless_finite(self, vital: Vital) -> tuple[Raised, ...]:
        broken = _broken(vital)
        if not broken:
            self._finite_since += 1
            return ()
        for losses in self._losses.values():
            losses.broke(vital.step, game=self._game)
        same_event = self._finite_since < ALARMING.warm_up
        self._finite_since = 0
        if same_event:
            self._broken[-1] = self._broken[-1][0], vital.step
            return ()
        raised = Raised(
            kind=AlarmKind.NONFINITE,
            step=vital.step,
            optimizer=vital.optimizer,
            message=broken,
            evidence={
                name: value
                for name, value in (("loss", vital.loss), ("grad_norm", vital.grad_norm))
                if value is not None
            },
        )
        self._broken.append((raised, vital.step))
        return (raised,)


def _overtaken(judged: Sequence[Judged]) -> Callable[[Judged], Judged]:
    """What confirms events that were open when a loss scale began to collapse for good: no loss came after them."""
    collapses = [each for each in judged if each.raised.kind is AlarmKind.SCALE_COLLAPSE and _stands(each)]

    def overtaken(one: Judged) -> Judged:
        before = (each.raised.step for each in collapses if each.raised.optimizer == one.raised.optimizer)
        step = next((s for s in before if 0 < s - one.raised.step <= ALARMING.recovery), None)
        if one.outcome is not Outcome.OPEN or one.raised.kind not in _SUDDEN or step is None:
            return one
        told = f"at step {step} the loss scale had collapsed, and no update was made any more"
        return replace(one, outcome=Outcome.CONFIRMED, finding=True, told=told)

    return overtaken


_SUDDEN = (AlarmKind.LOSS_SPIKE, AlarmKind.GRAD_SPIKE, AlarmKind.UPDATE_SPIKE, AlarmKind.DIVERGING)


def _stands(judged: Judged) -> bool:
    return judged.outcome is Outcome.CONFIRMED or (judged.outcome is Outcome.OPEN and judged.finding)


def _broken(vital: Vital) -> str:
    """What is not finite at a step, or ""."""
    if vital.loss is not None and not math.isfinite(vital.loss):
        return f"the loss is {vital.loss}"
    if vital.grad_norm is not None and not math.isfinite(vital.grad_norm):
        return f"the gradient norm is {vital.grad_norm}"
    return "" if vital.finite else "a gradient or a parameter is not finite"
