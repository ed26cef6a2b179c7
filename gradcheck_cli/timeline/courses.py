"""The curves of a run, downsampled so that spikes survive."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from gradcheck_cli.records.session import LayerSample, Sample
from gradcheck_cli.records.timeline import LayerCourse, Point, Vital

MOST = 400
"""Points of a series at most."""
_T = TypeVar("_T")
_Read: TypeAlias = Callable[[Sample], Iterable[float | None]]
_KEPT = ("loss", "grad_norm", "scale")
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


def series_of(vitals: Sequence[Vital], samples: Sequence[Sample] = ()) -> dict[str, tuple[Point, ...]]:
    """What was read of every optimiser at every step, and what was sampled, as far as it was had.

    The first optimiser's bear their plain names, those of the others end in `/` and its number.
    """
    optimizers = list(dict.fromkeys(vital.optimizer for vital in vitals))
    found = {}
    for place, optimizer in enumerate(optimizers):
        mine = [vital for vital in vitals if vital.optimizer == optimizer]
        taken = [sample for sample in samples if sample.optimizer == optimizer]
        read = {name: [(v.step, value) for v in mine if (value := getattr(v, name)) is not None] for name in _KEPT}
        read["skipped"] = [(v.step, float(v.skipped)) for v in mine] if any(v.skipped for v in mine) else []
        for name, of in SAMPLED.items():
            read[name] = [(sample.step, value) for sample in taken for value in of(sample) if value is not None]
        for name, values in read.items():
            if values:
                found[f"{name}/{optimizer}" if place else name] = downsampled(values)
    return found


def downsampled(values: Sequence[tuple[int, float]]) -> tuple[Point, ...]:
    """At most `MOST` points over (step, value), each with the least, the mean and the greatest of its stretch.

    A step may have several values, one a layer. A NaN makes the mean of its stretch NaN; least and greatest are those
    of its other values.
    """
    by_step: dict[int, list[float]] = {}
    for step, value in values:
        by_step.setdefault(step, []).append(value)
    steps = list(by_step)
    size = math.ceil(len(steps) / MOST) or 1
    stretches = (steps[start : start + size] for start in range(0, len(steps), size))
    return tuple(_point(stretch[0], [value for step in stretch for value in by_step[step]]) for stretch in stretches)


def _point(step: int, values: Sequence[float]) -> Point:
    numbers = [value for value in values if not math.isnan(value)] or [math.nan]
    return Point(step, min(numbers), sum(values) / len(values), max(numbers))


def courses_of(layers: Sequence[LayerSample], samples: Sequence[Sample] = ()) -> dict[str, LayerCourse]:
    """Every layer over the steps at which it was read, and sampled, each evenly thinned to at most `MOST`."""
    return dict(_courses(_thinned(layers), _thinned([sample for sample in samples if sample.output_rms])))


def _thinned(taken: Sequence[_T]) -> Sequence[_T]:
    return taken[:: math.ceil(len(taken) / MOST) or 1]


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
