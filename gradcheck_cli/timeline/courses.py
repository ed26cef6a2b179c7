"""The curves of a run, downsampled so that spikes survive."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from gradcheck_cli.records.session import LayerSample, Process, Sample
from gradcheck_cli.records.timeline import LayerCourse, Point, Vital
from gradcheck_cli.watch.downsampling import CURVES, POINTS, drawable, point_of

_NUMBERS = 100_000
"""Numbers of all layers' courses at most: of many layers each has fewer."""
_T = TypeVar("_T")
_Read: TypeAlias = Callable[[Sample], Iterable[float | None]]
SAMPLED: Mapping[str, _Read] = {
    "update_ratio": lambda sample: (sample.update,),
    "adam_rms": lambda sample: (sample.update_rms,),
    "own_batch_descent": lambda sample: (sample.descent,),
    "distinguishability": lambda sample: (sample.distinguishability,),
    "dead": lambda sample: sample.dead.values(),
    "saturated": lambda sample: sample.saturated.values(),
    "output_rms": lambda sample: sample.output_rms.values(),
}
"""The series of sampled steps, and what a sample has for each: one value, or one a layer."""


def series_of(process: Process) -> dict[str, tuple[Point, ...]]:
    """What a process read of every optimiser at every step, and what was sampled, as far as it was had.

    The first optimiser's bear their plain names, those of the others end in `/` and its number.
    """
    optimizers = list(dict.fromkeys(vital.optimizer for vital in process.vitals))
    drawn = process.whole.curves if process.whole is not None else {}
    found = {}
    for place, optimizer in enumerate(optimizers):
        taken = [sample for sample in process.samples if sample.optimizer == optimizer]
        curves = {name: drawn.get((optimizer, name)) or _drawn(process.vitals, optimizer, name) for name in CURVES}
        curves["skipped"] = _marks(curves["skipped"])
        for name, of in SAMPLED.items():
            values = [(sample.step, value) for sample in taken for value in of(sample) if value is not None]
            curves[name] = downsampled(values)
        for name, points in curves.items():
            if points:
                found[f"{name}/{optimizer}" if place else name] = points
    return found


def _marks(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """What marks steps, where it marks any."""
    return points if any(point.max for point in points) else ()


def _drawn(vitals: Sequence[Vital], optimizer: int, name: str) -> tuple[Point, ...]:
    mine = ((vital.step, drawable(vital, name)) for vital in vitals if vital.optimizer == optimizer)
    return downsampled([(step, value) for step, value in mine if value is not None])


def downsampled(values: Sequence[tuple[int, float]]) -> tuple[Point, ...]:
    """At most `POINTS` points over (step, value), each with the least, the mean and the greatest of its stretch.

    A step may have several values, one a layer. A NaN makes the mean of its stretch NaN; least and greatest are those
    of its other values.
    """
    by_step: dict[int, list[float]] = {}
    for step, value in values:
        by_step.setdefault(step, []).append(value)
    steps = list(by_step)
    size = math.ceil(len(steps) / POINTS) or 1
    stretches = (steps[start : start + size] for start in range(0, len(steps), size))
    return tuple(point_of(stretch[0], [value for step in stretch for value in by_step[step]]) for stretch in stretches)


def courses_of(layers: Sequence[LayerSample], samples: Sequence[Sample] = ()) -> dict[str, LayerCourse]:
    """Every layer over the steps at which it was read, and sampled, each evenly thinned to at most `POINTS`."""
    most = min(POINTS, _NUMBERS // (2 * max((len(each.relative_gradient) for each in layers), default=1) or 1))
    put_out = [sample for sample in samples if sample.output_rms]
    return dict(_courses(_thinned(layers, most), _thinned(put_out, most)))


def _thinned(taken: Sequence[_T], most: int) -> Sequence[_T]:
    return taken[:: math.ceil(len(taken) / max(most, 1)) or 1]


def _courses(layers: Sequence[LayerSample], samples: Sequence[Sample]) -> Iterator[tuple[str, LayerCourse]]:
    names = dict.fromkeys(name for each in layers for name in each.relative_gradient)
    names |= dict.fromkeys(name for sample in samples for name in sample.output_rms)
    for name in names:
        yield (
            name,
            LayerCourse(
                steps=tuple(each.step for each in layers),
                relative_gradient=tuple(each.relative_gradient.get(name) for each in layers),
                output_steps=tuple(sample.step for sample in samples),
                output_rms=tuple(sample.output_rms.get(name) for sample in samples),
            ),
        )
