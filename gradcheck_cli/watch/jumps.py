"""The sizes of an optimiser's sampled updates: which one stands out from those before it.

A spike of the update often comes before the loss's, and the gradient need not show it: an optimiser that divides by
what the gradient used to be makes a large step of a gradient that comes back after a long silence.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.session import Sample
from gradcheck_cli.watch.statistics import RobustWindow


class Jump(NamedTuple):
    """An update that stands out: what was seen of it, how many sigmas above the median, and its numbers by name."""

    told: str
    height: float
    values: dict[str, float]


class Jumps:
    """The logarithms of |dw|/|w| and, where the optimiser normalises, of the RMS of dw/lr."""

    def __init__(self) -> None:
        self._ratios = RobustWindow(ALARMING.window)
        self._rms = RobustWindow(ALARMING.window)

    def see(self, sample: Sample) -> Jump | None:
        """The next sampled update; what stands out in it."""
        ratio = _height(self._ratios, sample.update)
        rms = _height(self._rms, sample.update_rms)
        if not max(ratio, rms):
            return None
        told = f"the update of step {sample.step} moved the weights by {sample.update:.2g} of themselves"
        if rms > ratio:
            told = f"the RMS of dw/lr was {sample.update_rms:.2g} in the update of step {sample.step}"
        read = {"update_ratio": sample.update, "adam_rms": sample.update_rms, "update_step": sample.step}
        return Jump(told, max(ratio, rms), {name: value for name, value in read.items() if value is not None})


def _height(window: RobustWindow, value: float | None) -> float:
    """Sigmas above the median where that is a spike, else 0; the value is then one of the window."""
    if not value or not math.isfinite(value):
        return 0.0
    size = math.log(value)
    height = window.spike(size, ALARMING.norm_sigma) if len(window) >= ALARMING.warm_up else 0.0
    window.append(size)
    return height
