"""The number that a finding was raised on, read again from other evidence."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.judging import FindingNumber
from gradcheck_cli.records.measurement import Lens, Measurement, Rounding
from gradcheck_cli.rules import readings
from tests.evidence.recurrences import recurrence
from tests.measurements import measurement, op, parameter
from tests.rules.chains import chain, deep, unreached

BODY = ("body",)
SLOW = deep(("MulBackward0", 1e-6), ("MmBackward0", 1.0))
NOTHING = measurement(op("MseLossBackward0", 1.0), parameters=[parameter("weight", op=None, grad=None)])


def read(reading: Any, found: Measurement, *layers: str) -> FindingNumber | None:
    return reading(gather(found), layers)


@pytest.mark.parametrize(
    ("reading", "found", "layers", "value", "badness"),
    [
        (readings.behind_typical, SLOW, BODY, -6.0, 6.0),
        (readings.behind_typical, SLOW, ("head", "body"), -6.0, 6.0),
        (readings.behind_typical, SLOW, ("head",), 0.0, 0.0),
        (readings.least_elasticity, SLOW, ("head", "body"), 1e-7, 7.0),
        (readings.largest_elasticity, SLOW, ("head", "body"), 0.1, 1.0),
        (readings.largest_gradient, SLOW, ("head", "body"), 0.1, -1.0),
        (readings.over_time, recurrence([0.1 ** (19 - k) for k in range(20)]), ("(Net)",), -19.0, 19.0),
        (readings.over_time, recurrence([2.0 ** (19 - k) for k in range(20)]), ("(Net)",), 19 * 0.30103, 19 * 0.30103),
    ],
)
def test_a_number_is_read_with_how_bad_it_is(
    reading: Any, found: Measurement, layers: tuple[str, ...], value: float, badness: float
) -> None:
    told = read(reading, found, *layers)
    assert told is not None
    assert (told.value, told.badness) == (pytest.approx(value, rel=1e-4), pytest.approx(badness, rel=1e-4, abs=1e-9))


@pytest.mark.parametrize(
    "reading",
    [
        readings.behind_typical,
        readings.over_time,
        readings.least_elasticity,
        readings.largest_elasticity,
        readings.largest_gradient,
        readings.loss_scale,
        readings.saturated("softmax"),
    ],
)
def test_what_is_not_there_cannot_be_read(reading: Any) -> None:
    assert read(reading, NOTHING, "(Net)") is None


def test_a_gradient_of_zero_lies_no_number_of_decades_behind() -> None:
    assert read(readings.behind_typical, chain([0.5, 0.0, 0.5]), "layers.0") is None


@pytest.mark.parametrize(
    ("lens", "value"),
    [
        ({"per_sample": 23.0, "length": 10}, 23.0 / math.log(10)),
        ({"output_rms": 0.5, "target_rms": 5e4}, 5e4),
        ({"output_rms": 300.0, "target_rms": 2.0}, 150.0),
        ({"output_rms": 0.5, "target_rms": 0.25}, 1.0),
    ],
)
def test_the_scale_of_the_loss(lens: dict[str, Any], value: float) -> None:
    told = read(readings.loss_scale, chain([0.5], lenses=(Lens(op=0, kind="loss", **lens),)))
    assert told is not None
    assert told.value == pytest.approx(value)
    assert told.badness == pytest.approx(math.log10(value))


def test_the_largest_saturated_share_of_a_kind() -> None:
    shares = [("activation", 0.2), ("activation", 0.7), ("softmax", 0.9), ("activation", None)]
    lenses = tuple(Lens(op=0, kind=kind, saturated=share) for kind, share in shares)
    told = [read(readings.saturated(kind), chain([0.5], lenses=lenses)) for kind in ("activation", "softmax")]
    assert [(r.value, r.badness) for r in told if r] == [(0.7, 3.5), (0.9, 4.5)]


def test_layers_without_a_gradient_are_counted_among_those_that_are_asked_for() -> None:
    found = unreached(chain([0.5, 0.0, 0.5]), 0)
    asked = ("layers.0", "layers.1"), ("layers.1", "layers.2"), ("layers.2",)
    told = [read(readings.without_gradient, found, *layers) for layers in asked]
    assert [(r.value, r.badness) for r in told if r] == [(2, 2.0), (1, 1.0), (0, 0.0)]
    assert told[0] is not None and told[0].unit == "of 2 layers without gradient"


def rounding(lost: float, largest: float) -> Rounding:
    return Rounding(
        parameter="weight",
        dtype="float16",
        lost=lost,
        subnormal=0.0,
        near_limit=0.0,
        largest=largest,
        largest_float32=largest,
        limit=65504.0,
    )


def test_what_rounding_loses_and_how_near_the_limit_is() -> None:
    found = chain([0.5], roundings=(rounding(0.2, 1.0), rounding(0.4, 32752.0)))
    told = [read(reading, found) for reading in (readings.lost_to_rounding, readings.near_limit)]
    assert [(r.value, r.badness) for r in told if r] == [(0.4, 2.0), (0.5, 2.5)]
    assert read(readings.lost_to_rounding, NOTHING) == FindingNumber(value=0.0, unit="of a gradient lost", badness=0.0)
