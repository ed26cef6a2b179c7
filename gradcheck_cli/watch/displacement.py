"""Weights that the first updates have thrown far from where they began, in a run that has learned nothing since.

Initial weights keep the signal at its scale from layer to layer; ten times as large, each layer multiplies it by ten.
A run can come back from that to the loss that it began with, and stand there: then its weights say what happened.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import Vital


class WeightDisplacement:
    """The weights and losses of one optimiser since it began, or the run changed."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._now: float | None = None
        self._losses: deque[float] = deque(maxlen=ALARMING.patience)
        self._updates = 0
        self._start = self._norm = 0.0
        self._exploded = self._early = False

    def sampled(self, sample: Sample) -> None:
        """What was read at the last update."""
        if sample.weight is not None and math.isfinite(sample.weight):
            self._first = sample.weight if self._first is None else self._first
            self._now = sample.weight
            far = ALARMING.thrown * self._first <= self._now
            self._early |= far and self._updates <= ALARMING.standing

    def see(self, vital: Vital) -> None:
        """The next update."""
        self._updates += 1
        loss, norm = vital.loss, vital.grad_norm
        if loss is not None and math.isfinite(loss):
            self._start = self._start or loss
            self._losses.append(loss)
            self._exploded |= self._updates <= ALARMING.warm_up and loss > ALARMING.explosion * self._start > 0
        if norm is not None and math.isfinite(norm):
            self._norm = self._norm or norm
            self._exploded |= self._updates <= ALARMING.warm_up and norm > ALARMING.explosion * self._norm > 0

    @property
    def told(self) -> str:
        """What has happened, with its numbers; "" where it has not."""
        if not self._first or self._now is None or self._updates < ALARMING.warm_up or not self._losses:
            return ""
        level = median(self._losses)
        stands = ALARMING.learned_well if self._exploded else 1.0
        if not self._early or self._now < ALARMING.thrown * self._first or not 0 < stands * self._start <= level:
            return ""
        return (
            f"the updates have made the weights {self._now / self._first:.2g} times as large as they were at first, "
            f"and the loss is at {level:.3g}, from {self._start:.3g}"
        )
