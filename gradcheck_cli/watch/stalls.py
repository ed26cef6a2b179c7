"""A run of one optimiser that does not learn, or has lost what it learned: its loss against one answer for every row.

Each sampled step has its loss and Lm of the same batch (THEORY.md, section 4a), so that the noise between batches
cancels. A loss at Lm proves nothing by itself: data may hold no more than that, and a plateau may end. So it stands as
more than a note only where something that is known says why.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import NamedTuple

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Raised, Vital
from gradcheck_cli.watch.displacement import WeightDisplacement
from gradcheck_cli.watch.statistics import GAUSSIAN, OF_A_MEDIAN
from gradcheck_cli.words import times_of_one_answer

_KEPT = 256  # samples at most


class StallReason(NamedTuple):
    """What says why a run learns nothing: the alarm that it makes, its cause, and what is told of it."""

    kind: AlarmKind
    cause: str
    told: str


class StallDetector:
    """The losses and samples of one optimiser. They start anew with `Vital.phase`.

    Attributes:
        order: What shows that batches come in blocks, by the last sample that could tell; "" where nothing does.
    """

    def __init__(self) -> None:
        self._phase: int | None = None
        self._raised: Raised | None = None
        self._last_step = 0
        self._updates_raised = 0
        self.order = ""
        self._begin(0)

    def _begin(self, phase: int) -> None:
        self._phase = phase
        self._updates = self._last_update = 0
        self._still = 0  # first updates in a row whose gradient is exactly 0
        self._positive = True
        self._recent: deque[float] = deque(maxlen=ALARMING.patience)
        self._levels: list[tuple[int, float]] = []  # at ages that double
        self._samples: deque[tuple[int, Sample]] = deque(maxlen=_KEPT)  # with the updates before each
        self._first: Sample | None = None
        self._learned = False
        self._fresh = False
        self._thrown = WeightDisplacement()

    # -- seen

    def sampled(self, sample: Sample) -> None:
        """What was read at the last update, if it was a sampled one."""
        self._thrown.sampled(sample)
        if sample.blocks is not None:
            self.order = in_blocks(sample)
        if sample.against_chance is None:
            return
        self._first = self._first or sample
        self._samples.append((self._updates, sample))
        self._fresh = True
        window = self._window()
        self._learned = self._learned or (bool(window) and against(window) < ALARMING.learned_well)

    def see(self, vital: Vital) -> Raised | None:
        """The next update; what it raises, at most once a run."""
        if vital.phase != self._phase:
            self._begin(vital.phase)
        self._last_step = vital.step
        if vital.skipped:
            return None
        self._updates += max(vital.optimizer_step - self._last_update, 1) if self._updates else 1  # some are not told
        self._last_update = vital.optimizer_step
        self._take(vital)
        self._thrown.see(vital)
        if self._raised is not None:
            return None
        found = self._frozen(vital) or self._thrown_off(vital) or self._drowned(vital) or self._at_chance(vital)
        if found is not None:
            self._raised, self._updates_raised = found, self._updates
        return found

    def withdraw(self) -> None:
        """What was raised is another alarm's matter."""
        self._raised = None

    def _take(self, vital: Vital) -> None:
        if vital.grad_norm == 0.0 and vital.loss and self._still == self._updates - 1:
            self._still += 1
        if vital.loss is None or not math.isfinite(vital.loss):
            return
        self._positive = self._positive and vital.loss > 0
        self._recent.append(vital.loss)
        age = self._levels[-1][0] * 2 if self._levels else ALARMING.patience
        if self._updates >= age:
            self._levels.append((self._updates, median(self._recent)))

    def _frozen(self, vital: Vital) -> Raised | None:
        """Every gradient has been exactly 0 since the run began."""
        if self._still != ALARMING.warm_up or self._still != self._updates:
            return None
        message = f"the gradient was exactly 0 at each of the first {self._still} updates"
        return self._alarm(AlarmKind.STUCK, vital, message, {"cause": FROZEN, "updates": self._still})

    def _thrown_off(self, vital: Vital) -> Raised | None:
        """The weights are far from where they began, and the loss is not below that."""
        far = self._far_off() if self._positive else None
        return self._alarm(far.kind, vital, far.told, {"cause": far.cause, "thrown": 1}) if far else None

    def _drowned(self, vital: Vital) -> Raised | None:
        """Dropout costs more than knowing nothing does, and without it nothing is known: that shows early."""
        window = self._window() if self._fresh and self._positive and self._updates >= ALARMING.window else []
        return self._told(vital, window) if window and drowned(window) else None

    def _at_chance(self, vital: Vital) -> Raised | None:
        if self._updates < ALARMING.standing or not self._fresh or not self._positive:
            return None
        self._fresh = False
        window = self._window()
        if not window or against(window) < ALARMING.at_chance:
            return None
        if not self._learned and self._progress():
            return None
        return self._told(vital, window)

    def _told(self, vital: Vital, window: Sequence[Sample]) -> Raised:
        ratio, reading = against(window), self._reading(window)
        where = f"the loss is {times_of_one_answer(ratio)} after {self._updates} updates"
        if reading.kind is AlarmKind.COLLAPSE:
            where = f"what was learned is lost: {where}"
        evidence: dict[str, float | int | str] = {"loss_over_chance": ratio, "updates": self._updates}
        return _with_reason(self._alarm(reading.kind, vital, where, evidence), reading)

    def _reading(self, window: Sequence[Sample]) -> StallReason:
        """What says why the run stands where it does; a cause of "" where nothing does."""
        found = self._ordered() or self._undone(window[-1]) or self._far_off() or self._lifeless(window)
        if found is not None:
            return found
        if self._learned:
            return StallReason(AlarmKind.COLLAPSE, "collapse", "")
        swing = raised_share(window)
        if swing is not None and swing >= ALARMING.swings and against(window) >= ALARMING.far_above:
            told = f"{swing:.0%} of the sampled updates raise the loss of the batch that they were computed from"
            return StallReason(AlarmKind.SWINGING, "lr-too-high", told)
        if (moved := self._too_small(window)) is not None:
            told = f"an update moves the weights by {moved:.1e} of themselves at most"
            return StallReason(AlarmKind.STUCK, "lr-too-low", told)
        if self._decayed(window[-1]):
            told = "the weight decay outweighs the gradient, and the weights have shrunk by half"
            return StallReason(AlarmKind.STUCK, "weight-decay", told)
        return drowned(window) or StallReason(AlarmKind.STUCK, "", "")

    def _ordered(self) -> StallReason | None:
        return StallReason(AlarmKind.STUCK, "unshuffled-batches", self.order) if self.order else None

    def _undone(self, now: Sample) -> StallReason | None:
        """Something else moves the weights back, over and over."""
        if now.taken_back < ALARMING.samples:
            return None
        told = f"{now.taken_back} times something but the optimiser took back more than half of what its updates did"
        return StallReason(AlarmKind.STUCK, "call-order", told)

    def _far_off(self) -> StallReason | None:
        return StallReason(AlarmKind.STUCK, "lr-too-high", self._thrown.told) if self._thrown.told else None

    def _lifeless(self, window: Sequence[Sample]) -> StallReason | None:
        """A layer that has died, or saturated, since the first sample."""
        assert self._first is not None
        if grown := grown_in(self._first.dead, [each.dead for each in window]):
            told = f"{grown[1]:.0%} of `{grown[0]}`'s units are off, {grown[2]:.0%} at first"
            return StallReason(AlarmKind.DEAD_GROWING, "dead-relu", told)
        if grown := grown_in(self._first.saturated, [each.saturated for each in window]):
            told = f"{grown[1]:.0%} of `{grown[0]}`'s elements are saturated, {grown[2]:.0%} at first"
            return StallReason(AlarmKind.SATURATING, "saturating-activation", told)
        return None

    def _alarm(self, kind: AlarmKind, vital: Vital, message: str, evidence: Mapping[str, float | int | str]) -> Raised:
        return Raised(kind=kind, step=vital.step, optimizer=vital.optimizer, message=message, evidence=evidence)

    # -- readings

    def _window(self) -> list[Sample]:
        """The samples from the third last on, of those that lie an eighth of the run apart."""
        apart = max(self._updates // 8, 1)
        chosen: list[int] = []
        for at, _ in reversed(self._samples):
            if not chosen or chosen[-1] - at >= apart:
                chosen.append(at)
            if len(chosen) == ALARMING.samples:
                return [sample for place, sample in self._samples if place >= at]
        return []

    def _progress(self, share: float = ALARMING.moved_on) -> bool:
        """Whether the loss is below that share of what it was halfway through, and by more than two medians' noise."""
        halfway = [level for age, level in self._levels if 2 * age <= self._updates]
        if not halfway:
            return False
        level = median(self._recent)
        sigma = GAUSSIAN * median(abs(loss - level) for loss in self._recent)
        noise = ALARMING.back * OF_A_MEDIAN * sigma * math.sqrt(2 / len(self._recent))
        return level < share * halfway[-1] and halfway[-1] - level > noise

    def _too_small(self, window: Sequence[Sample]) -> float | None:
        """The largest update, where all together hardly move a layer and nearly all lower the loss of their batch."""
        updates = [each.update for _, each in self._samples if each.update is not None]
        if not updates or not 0 < max(updates) * self._updates < ALARMING.moved_in_all:
            return None
        descends = [each.after <= each.loss for each in window if each.after is not None and each.loss is not None]
        return max(updates) if descends and sum(descends) >= ALARMING.descends * len(descends) else None

    def _decayed(self, now: Sample) -> bool:
        """Whether weight decay has won: while the weights fell to half it outweighed the gradient, and they are gone.

        What is left of them is held by the noise of the gradient, so that nothing can be read off it any more.
        """
        if self._first is None or not self._first.weight or now.weight is None:
            return False
        half = self._first.weight / 2
        above = [each.decay for _, each in self._samples if each.weight is not None and each.weight > half]
        return now.weight < half and bool(above) and all(decay is not None and decay >= 1.0 for decay in above)

    # -- judged

    def judged(self, *, game: bool, told: bool = False) -> tuple[Judged, ...]:
        """What was raised, as the run so far judges it.

        Args:
            game: Whether optimisers play against each other.
            told: Whether another alarm of the run stands, so that this one is a consequence.
        """
        if self._raised is None:
            return ()
        raised = self._raised
        window = self._window()
        if raised.kind is AlarmKind.STUCK and not raised.evidence.get("cause") and window:
            raised = _with_reason(raised, self._reading(window))  # what was not known when it was raised
        outcome, why = self._outcome(raised, window, game=game)
        if told and outcome is Outcome.CONFIRMED:
            outcome, why = Outcome.OPEN, f"{why}; another alarm of this run tells of it"
        finding = outcome is Outcome.CONFIRMED
        return (Judged(raised=raised, last_step=self._last_step, outcome=outcome, finding=finding, told=why),)

    def _outcome(self, raised: Raised, window: Sequence[Sample], *, game: bool) -> tuple[Outcome, str]:
        if (known := self._by_itself(raised, window, game=game)) is not None:
            return known
        if not window:
            return Outcome.OPEN, "the script ended, or trains something else, before more was sampled"
        ratio = against(window)
        told = f"at the end the loss is {times_of_one_answer(ratio)}"
        share = ALARMING.moved_on if ratio < ALARMING.far_above else ALARMING.regained
        if ratio < ALARMING.at_chance or (not self._learned and self._progress(share)):
            return Outcome.RECOVERED, told
        if raised.kind is AlarmKind.STUCK and (hidden := hidden_by_dropout(window)) is not None:
            return Outcome.RECOVERED, f"{told}, and {hidden:.2g} times with dropout off: the rest is dropout's noise"
        doubt = self._doubt(raised, window, game=game)
        return (Outcome.OPEN, f"{told}; {doubt}") if doubt else (Outcome.CONFIRMED, told)

    def _by_itself(self, raised: Raised, window: Sequence[Sample], *, game: bool) -> tuple[Outcome, str] | None:
        """What becomes of an alarm whose own reading has to hold to the end; None where the loss is its judge."""
        held, told = False, "that is over: the run has learned since"
        if raised.evidence.get("cause") == FROZEN:
            held = self._still == self._updates
            told = f"so it was at all {self._still}" if held else "later updates had a gradient"
        elif raised.evidence.get("thrown"):
            held, told = bool(self._thrown.told), self._thrown.told or told
        elif raised.evidence.get("cause") != "dropout-too-high":
            return None
        elif window and (noise := drowned(window)) is not None:
            held, told = True, f"to the end {noise.told}"
        if held and game:
            return Outcome.OPEN, "optimisers with losses of their own play against each other"
        return (Outcome.CONFIRMED if held else Outcome.RECOVERED), told

    def _doubt(self, raised: Raised, window: Sequence[Sample], *, game: bool) -> str:
        """Why a run that stands at chance proves nothing, or ""."""
        if game:
            return "optimisers with losses of their own play against each other"
        if raised.evidence.get("cause") == "collapse":
            if self._updates - self._updates_raised < ALARMING.recovery:
                return "the run ended too early to tell"
            return "" if all(map(_is_near, _ratios(window))) else "a target that moves makes that too"
        if raised.evidence.get("cause") == "lr-too-low":
            return "" if self._too_small(window) is not None else NO_REASON
        if raised.evidence.get("cause") == "unshuffled-batches":
            return "" if self.order else NO_REASON
        return "" if raised.evidence.get("cause") else NO_REASON


FROZEN = "update-moves-nothing"
"""The cause of a run whose gradients are exactly 0, where its steps name none."""
NO_REASON = "nothing says why: a task that takes longer looks like this, and so do labels of other inputs"


def _with_reason(raised: Raised, reading: StallReason) -> Raised:
    if not reading.cause:
        return raised
    message = "; ".join(filter(None, (raised.message, reading.told)))
    return replace(raised, message=message, evidence={**raised.evidence, "cause": reading.cause})


def against(window: Sequence[Sample]) -> float:
    """The median loss of samples over Lm."""
    return median(_ratios(window))


def _is_near(ratio: float) -> bool:
    return ALARMING.at_chance <= ratio <= ALARMING.near_chance


def _ratios(window: Sequence[Sample]) -> Iterator[float]:
    return (ratio for each in window if (ratio := each.against_chance) is not None)


def drowned(window: Sequence[Sample]) -> StallReason | None:
    """What shows that dropout's noise is more than all that the model knows: at each sample it is at chance without it.

    The loss with dropout on is then above that of one answer by what the masks alone cost.
    """
    pairs = [(each.against_chance, (each.undropped or 0.0) / (each.chance or math.inf)) for each in window]
    if not all(on is not None and on > ALARMING.near_chance and _is_near(off) for on, off in pairs):
        return None
    on, off = median(on or 0.0 for on, _ in pairs), median(off for _, off in pairs)
    told = f"with dropout off it is {off:.3g} times: the masks cost more than knowing nothing does"
    return StallReason(AlarmKind.STUCK, "dropout-too-high", f"{told}, {on:.3g} times with them")


def in_blocks(sample: Sample) -> str:
    """What shows that the batches come in blocks, and that the loss swings with them; "" where nothing does."""
    share, swing = sample.blocks or 0.0, sample.swing or 0.0
    if share < ALARMING.in_blocks or swing < ALARMING.with_blocks:
        return ""
    return (
        f"the batches come in blocks: {share:.0%} of the spread of the targets lies between them, and the loss rises "
        f"where the targets change (correlation {swing:.2f})"
    )


def raised_share(window: Sequence[Sample]) -> float | None:
    """Share of the updates that raise the loss of their own batch by a hundredth of it; None for too few."""
    known = [(each.loss, each.after) for each in window if each.loss is not None and each.after is not None]
    if len(known) < ALARMING.swing_samples:
        return None
    return sum(not after <= loss * (1 + ALARMING.raises) for loss, after in known) / len(known)


def hidden_by_dropout(window: Sequence[Sample]) -> float | None:
    """The loss with dropout off over Lm, where that is learned beyond doubt at each sample; else None."""
    ratios = [each.undropped / each.chance if each.undropped is not None and each.chance else None for each in window]
    known = [ratio for ratio in ratios if ratio is not None and ratio < ALARMING.learned_well]
    return median(known) if known and len(known) == len(window) else None


def grown_in(first: Mapping[str, float], window: Sequence[Mapping[str, float]]) -> tuple[str, float, float] | None:
    """The layer whose share has grown from less than half to nearly all, with its last share and its first."""
    for name, share in first.items():
        now = [each.get(name, 0.0) for each in window]
        if share < ALARMING.few and min(now, default=0.0) >= ALARMING.nearly_all:
            return name, now[-1], share
    return None
