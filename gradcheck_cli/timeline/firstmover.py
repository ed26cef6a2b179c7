"""Who moved first: the layer that left its course before the loss left its own (THEORY.md, section 7).

Held against its own past by median and spread, as the alarms are, and only what stays away until the alarm counts: of
many layers one always wavers. Where they all leave at once none of them is the place to look.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.session import Process
from gradcheck_cli.records.timeline import Raised
from gradcheck_cli.watch.statistics import RobustWindow
from gradcheck_cli.words import count_of

_Course: TypeAlias = Sequence[tuple[int, float]]
"""Steps and the values there."""
_TINY = 1e-30  # what a gradient of 0 is taken for, before its logarithm
_LEAST = ALARMING.norm_sigma / math.log(10)  # decades
_MOST = 0.5
"""Share of the layers above which those that leave at one step are all of them."""


class Leader(NamedTuple):
    """The layer that moved first, what of it did, at which step, and how many steps before the loss."""

    layer: str
    what: str
    step: int
    lead: int

    @property
    def told(self) -> str:
        """In a sentence."""
        steps = count_of(self.lead, "step")
        return f"`{self.layer or 'the model'}` moved first: {self.what} left its course {steps} before the loss"


def leader(process: Process, raised: Raised) -> Leader | None:
    """The layer that led to an alarm; None where none did, or too little was read before it."""
    begun = _phase_began(process, raised)
    losses = [
        (v.step, v.loss)
        for v in process.vitals
        if v.optimizer == raised.optimizer and begun <= v.step <= raised.step and v.loss is not None
    ]
    finite = [(step, loss) for step, loss in losses if math.isfinite(loss)]
    end = left(finite, lambda window: ALARMING.loss_sigma * abs(window.median)) or raised.step
    courses = list(_courses(process, begun, raised.step))
    leaving = [(step, name, what) for name, what, course in courses if (step := left(course, _least)) is not None]
    first = min((step for step, _, _ in leaving), default=end)
    together = {name for step, name, _ in leaving if step == first}
    if first >= end or len(together) > _MOST * len({name for name, _, _ in courses}):
        return None
    step, name, what = next(found for found in leaving if found[0] == first)
    return Leader(name, what, step, end - step)


def _phase_began(process: Process, raised: Raised) -> int:
    """The first step of the phase in which an alarm was raised."""
    mine = [v for v in process.vitals if v.optimizer == raised.optimizer and v.step <= raised.step]
    return next((v.step for v in mine if v.phase == mine[-1].phase), 1)


def _courses(process: Process, begun: int, until: int) -> Iterator[tuple[str, str, _Course]]:
    """The decades of every layer's gradient and, where sampled, of its output, from a step to that before another."""
    layers = [(each.step, each.relative_gradient) for each in process.layers if begun <= each.step < until]
    outputs = [(each.step, each.output_rms) for each in process.samples if begun <= each.step < until]
    for what, read in (("|g|/|w|", layers), ("the scale of its output", outputs)):
        for name in dict.fromkeys(name for _, values in read for name in values):
            taken = ((step, values.get(name)) for step, values in read)
            yield name, what, [(step, math.log10(max(v, _TINY))) for step, v in taken if v is not None and v < math.inf]


def _least(window: RobustWindow) -> float:
    return _LEAST


def left(course: _Course, least: Callable[[RobustWindow], float]) -> int | None:
    """The step from which on a course is outside of the band that it had until then; None where it ends inside.

    Args:
        course: Steps and values.
        least: What the sigma of a window is at least.
    """
    for start in range(max(ALARMING.warm_up, len(course) - ALARMING.patience), len(course)):
        window = RobustWindow(ALARMING.window)
        for _, value in course[:start][-ALARMING.window :]:
            window.append(value)
        limit = ALARMING.spike * max(window.sigma, least(window))
        if all(abs(value - window.median) > limit for _, value in course[start:]):
            return course[start][0]
    return None
