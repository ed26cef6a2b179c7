"""An update that was made again on a copy, from the very state and batch of a step, and otherwise as well."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from gradcheck_cli.records.alarmlimits import ALARMING

OVERSIZE = 10.0
"""Factor of the run's usual |dw|/|w| from which an update is too large: a decade."""
BACK = 10.0**0.5
"""The same, up to which it is of its usual size: half of that on a scale of decades."""
MOVES_NOTHING = 1e-4
"""|dw|/|w| below which a hundred updates hardly move a layer: a tenth of the usual 1e-3 (THEORY.md, section 4)."""
WANTED = 1e-3
"""The usual |dw|/|w| (THEORY.md, section 4)."""
LOWER_RATES = (1 / 3, 0.1)
"""Factors of the learning rate that are tried where an update does harm, the mildest first."""
HALF = 0.5
"""Share of what an update does wrong that a change leaves at most, where it helps."""
REAL = 1e-6
"""Share of a loss by which two have to differ to be two: float32 rounds to 6e-8, and a loss is a sum."""


class UpdateChange(str, Enum):
    """What is done otherwise."""

    AS_RUN = "as-run"
    LOWER_RATE = "lower-rate"
    HIGHER_RATE = "higher-rate"
    CLIPPED = "clipped"
    EPS = "eps"
    ANEW = "anew"
    WITHOUT_ROWS = "without-rows"


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateVariant:
    """One way to make the update.

    Attributes:
        change: What is done otherwise.
        amount: The factor of the learning rate, the norm that is clipped at, or the eps; None for the others.
        share: Of clipping, the share of the run's own steps before that it would have shortened.
        loss: The loss after the update; None where the batch could not be taken again.
        size: |dw|/|w| of the update, the largest over the matrices.
    """

    change: UpdateChange
    amount: float | None = None
    share: float | None = None
    loss: float | None = None
    size: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What the batch of a step costs with the parameters of an earlier one, and what it costs `now`."""

    step: int
    loss: float | None
    now: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScalesTried:
    """What float16 holds of the gradient of a step with the loss scale that it has, and with the one that fits.

    Attributes:
        now: The loss scale that the step has; 1 without a GradScaler.
        lost: Share of the gradient's elements that it loses with that: not finite, or 0 where another scale keeps them.
        fits: The largest power of two with which all are finite, with headroom for other batches; None for none.
        lost_then: The share that is lost with that.
        growth: The updates after which the GradScaler doubles its scale; None without one.
    """

    now: float
    lost: float
    fits: float | None = None
    lost_then: float | None = None
    growth: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Retried:
    """What came of making the update of a step again.

    Attributes:
        step: The step, as `Vital` counts.
        optimizer: The optimiser's number in order of its first update, and `kind` the name of its class.
        rate: The largest learning rate of its groups.
        loss: The loss before the update: of the batch, or without `rows` of the rows that are not at fault.
        rows: Rows of the batch that are at fault, so that the others are what an update is judged by.
        start: The step whose parameters and state the trials start from, where that is a snapshot; else None.
        usual: The median |dw|/|w| of the updates before; None where too few were read.
        tried: Every way that was tried, first that of the run.
        held: What the batch costs with the parameters of a snapshot, where there is one.
        passes: Forward and backward passes that this took.
        why: Why nothing was tried, or no more.
        scaled: Whether a GradScaler has to unscale the gradients before anything is done to them.
        scales: Loss scales that were tried, where float16 cannot hold the gradient.
    """

    step: int
    optimizer: int = 0
    kind: str = ""
    rate: float | None = None
    loss: float | None = None
    rows: tuple[int, ...] = ()
    start: int | None = None
    usual: float | None = None
    tried: tuple[UpdateVariant, ...] = ()
    held: Held | None = None
    passes: int = 0
    why: str = ""
    scaled: bool = False
    scales: ScalesTried | None = None

    @property
    def as_run(self) -> UpdateVariant | None:
        """The update as the run makes it."""
        return self.tried[0] if self.tried else None

    @property
    def raises(self) -> bool:
        """Whether the update as the run makes it raises the loss that it is judged by, or leaves none."""
        return self.as_run is not None and self._rises(self.as_run, ALARMING.raises)

    @property
    def oversize(self) -> bool:
        """Whether the update as the run makes it moves the weights far more than those before."""
        size = self.as_run.size if self.as_run is not None else None
        return size is not None and self.usual is not None and not size <= OVERSIZE * self.usual

    @property
    def harms(self) -> bool:
        """Whether it is too large, by what it does to the loss or by its size."""
        return self.raises or self.oversize

    @property
    def moves_nothing(self) -> bool:
        """Whether it hardly moves the weights."""
        size = self.as_run.size if self.as_run is not None else None
        return size is not None and size < MOVES_NOTHING

    def outcome(self, tried: UpdateVariant) -> str:
        """What a change comes to, against the update as the run makes it: as `Trial.outcome`."""
        if tried.loss is None or self.as_run is None or self.loss is None:
            return "not-tried"
        if tried.change is UpdateChange.HIGHER_RATE:
            return self._higher(tried)
        if not self.harms:
            return "no-effect"
        if not self._rises(tried, ALARMING.raises) and (self.raises or self._is_back(tried)):
            return "fixed"
        if self.raises:
            return _compared(self._rise(tried), self._rise(self.as_run))
        return _compared(tried.size, self.as_run.size)

    def _higher(self, tried: UpdateVariant) -> str:
        """Of a larger rate: the loss falls by twice as much at least, or it rises."""
        assert self.as_run is not None and self.loss is not None
        if self._rises(tried, REAL):
            return "worse"
        falls, fell = -self._rise(tried), max(-self._rise(self.as_run), 0.0)
        return "helps" if falls > REAL * abs(self.loss) and falls >= fell / HALF else "no-effect"

    def _is_back(self, tried: UpdateVariant) -> bool:
        return tried.size is not None and self.usual is not None and tried.size <= BACK * self.usual

    def _rises(self, tried: UpdateVariant, share: float) -> bool:
        assert self.loss is not None
        return not self._rise(tried) <= share * abs(self.loss)

    def _rise(self, tried: UpdateVariant) -> float:
        """By how much a loss is above that before; infinite where it is not finite."""
        if tried.loss is None or self.loss is None or not math.isfinite(tried.loss):
            return math.inf
        return tried.loss - self.loss


def _compared(now: float | None, was: float | None) -> str:
    """What a change comes to by what an update does wrong with it and without: less than half, or more than twice."""
    if now is None or was is None or now == was or math.isnan(now):
        return "no-effect"
    return "helps" if now <= HALF * was else "worse" if now >= was / HALF else "no-effect"
