"""Whether the loss was still on its way down when the script ended (THEORY.md, section 7: too few steps)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.timeline import Vital
from gradcheck_cli.watch.statistics import GAUSSIAN, OF_A_MEDIAN

_SHARE = 4
"""The last quarter of a run is its end, cut into `_BLOCKS` of at least `ALARMING.warm_up` updates."""
_BLOCKS = 3
_PER = 100
_LEAST = 0.01
"""Share of its level, and of all that was learned, by which a loss falls in `_PER` updates worth waiting for."""


def still_falling(vitals: Sequence[Vital]) -> float | None:
    """Share of its level by which the loss fell in a hundred updates at the end; None unless that is clear.

    It has to fall from block to block of the last quarter, each time by more than the noise of their medians. A loss
    below 0 has no level that a share is of.

    Args:
        vitals: Those of one optimiser.
    """
    seen = [v for v in vitals if v.loss is not None and math.isfinite(v.loss) and not v.skipped]
    size = len(seen) // _SHARE // _BLOCKS
    tail = seen[-_BLOCKS * size :]
    if size < ALARMING.warm_up or len({v.phase for v in tail}) > 1 or any(v.loss <= 0 for v in tail if v.loss):
        return None
    losses = [v.loss for v in seen if v.loss is not None]
    blocks = [losses[len(losses) - (place + 1) * size :][:size] for place in reversed(range(_BLOCKS))]
    levels = [median(block) for block in blocks]
    noise = ALARMING.back * OF_A_MEDIAN * max(map(_sigma, blocks)) * math.sqrt(2 / size)
    if any(before - after <= noise for before, after in pairwise(levels)):
        return None
    share = 1 - (levels[-1] / levels[-2]) ** (_PER / size)
    learned = median(losses[: ALARMING.level]) - levels[-1]
    return share if share >= _LEAST and share * levels[-1] >= _LEAST * learned else None


def _sigma(values: Sequence[float]) -> float:
    middle = median(values)
    return GAUSSIAN * median(abs(value - middle) for value in values)
