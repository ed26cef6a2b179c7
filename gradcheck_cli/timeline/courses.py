"""The curves of a run, downsampled so that spikes survive."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from gradcheck_cli.records.session import LayerSample
from gradcheck_cli.records.timeline import LayerCourse, Point, Vital

MOST = 400
"""Points of a series at most."""
_KEPT = ("loss", "grad_norm", "scale")


def series_of(vitals: Sequence[Vital]) -> dict[str, tuple[Point, ...]]:
    """The loss, the gradient norm and the loss scale of every optimiser, as far as they were had.

    The first optimiser's bear their plain names, those of the others end in `/` and its number.
    """
    optimizers = list(dict.fromkeys(vital.optimizer for vital in vitals))
    found = {}
    for place, optimizer in enumerate(optimizers):
        mine = [vital for vital in vitals if vital.optimizer == optimizer]
        for name in _KEPT:
            values = [(v.step, value) for v in mine if (value := getattr(v, name)) is not None]
            if values:
                found[f"{name}/{optimizer}" if place else name] = downsampled(values)
    return found


def downsampled(values: Sequence[tuple[int, float]]) -> tuple[Point, ...]:
    """At most `MOST` points over (step, value), each with the least, the mean and the greatest of its stretch.

    A NaN makes the mean of its stretch NaN; least and greatest are those of its other values.
    """
    size = math.ceil(len(values) / MOST) or 1
    return tuple(_point(values[start : start + size]) for start in range(0, len(values), size))


def _point(stretch: Sequence[tuple[int, float]]) -> Point:
    numbers = [value for _, value in stretch if not math.isnan(value)] or [math.nan]
    mean = sum(value for _, value in stretch) / len(stretch)
    return Point(stretch[0][0], min(numbers), mean, max(numbers))


def courses_of(samples: Sequence[LayerSample]) -> dict[str, LayerCourse]:
    """Every layer over the sampled steps, evenly thinned to at most `MOST` of them."""
    kept = samples[:: math.ceil(len(samples) / MOST) or 1]
    return dict(_courses(kept))


def _courses(samples: Sequence[LayerSample]) -> Iterator[tuple[str, LayerCourse]]:
    names: Mapping[str, None] = dict.fromkeys(name for sample in samples for name in sample.relative_gradient)
    steps = tuple(sample.step for sample in samples)
    for name in names:
        values = tuple(sample.relative_gradient.get(name) for sample in samples)
        yield name, LayerCourse(steps=steps, relative_gradient=values)
