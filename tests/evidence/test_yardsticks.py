"""What a loss, an output or an input is held against."""

from __future__ import annotations

import math

import pytest

from gradcheck_cli.evidence.opgraph import OpGraph
from gradcheck_cli.evidence.yardsticks import References
from gradcheck_cli.records.measurement import Lens, Measurement
from tests.measurements import measurement, op, stats


def references(found: Measurement) -> References:
    return References(OpGraph(found))


def test_only_floating_inputs_have_a_scale() -> None:
    inputs = (stats("ids", dtype="int64"), stats("mask", dtype="bool"), stats("empty", rms=None))
    found = references(measurement(inputs=(*inputs, stats("x", rms=3.0), stats("half", dtype="bfloat16", rms=2.0))))
    assert (found.input_scales, found.input_rms) == ((3.0, 2.0), 3.0)
    assert references(measurement(inputs=inputs)).input_rms is None


# --------------------------------------------------------------------------- what a regression compares


def test_what_a_regression_loss_compared_is_read_from_it() -> None:
    lenses = (Lens(op=0, kind="softmax", length=4), Lens(op=0, kind="loss", output_rms=0.5, target_rms=5e4))
    assert references(measurement(lenses=lenses)).compared == (0.5, 5e4)


@pytest.mark.parametrize("lens", [{"output_rms": 0.5, "target_rms": 0.0}, {"target_rms": 2.0}])
def test_targets_of_zero_and_outputs_that_were_not_seen_compare_to_nothing(lens: dict[str, float]) -> None:
    assert references(measurement(lenses=(Lens(op=0, kind="loss", **lens),))).compared is None


def written(*names: str, **fields: object) -> Measurement:
    """A loss of plain ops, first things last, over one output and one target."""
    ops = [op(name, 1.0, (k + 1, 1.0), module=-1) for k, name in enumerate(names)]
    plain: dict[str, object] = {"outputs": (stats("output", rms=0.5),), "targets": (stats("target", rms=7.0),)}
    return measurement(*ops, op("AddmmBackward0", 1.0), **(plain | fields))


@pytest.mark.parametrize(
    "names",
    [
        ("MeanBackward0", "PowBackward0", "SubBackward0"),
        ("SumBackward0", "AbsBackward0", "SubBackward0"),
        ("MeanBackward1", "SumBackward1", "MulBackward0", "SubBackward0"),
    ],
)
def test_a_loss_that_is_written_as_a_difference_compares_output_and_target(names: tuple[str, ...]) -> None:
    assert references(written(*names)).compared == (0.5, 7.0)


@pytest.mark.parametrize(
    "names",
    [
        ("MeanBackward0", "PowBackward0"),
        ("MeanBackward0", "ExpBackward0", "SubBackward0"),
        ("MeanBackward0", "PowBackward0", "AddBackward0"),
        ("MaximumBackward0", "PowBackward0", "SubBackward0"),  # its name only begins like "Mean" and "Max"
        ("MeanBackward0", "PowBackward", "SubBackward0"),  # a custom Function
    ],
)
def test_any_other_loss_compares_nothing_that_is_known(names: tuple[str, ...]) -> None:
    assert references(written(*names)).compared is None


@pytest.mark.parametrize(
    "fields",
    [
        {"targets": ()},
        {"outputs": (stats("a"), stats("b"))},
        {"targets": (stats("target", numel=4),)},
        {"targets": (stats("target", rms=None),)},
    ],
)
def test_what_cannot_be_paired_is_not_compared(fields: dict[str, object]) -> None:
    assert references(written("MeanBackward0", "PowBackward0", "SubBackward0", **fields)).compared is None


# --------------------------------------------------------------------------- chance


def test_chance_is_the_logarithm_of_the_number_of_classes_and_the_worst_loss_counts() -> None:
    lenses = (
        Lens(op=0, kind="loss", per_sample=2.3, length=10),
        Lens(op=1, kind="loss", per_sample=2.0, length=2),
        Lens(op=2, kind="loss", per_sample=math.inf, length=2),
        Lens(op=3, kind="loss", per_sample=9.0, length=1),  # ln 1 is no chance
        Lens(op=4, kind="activation", slope=0.2),
    )
    assert references(measurement(lenses=lenses)).chance == (2.0, math.log(2))
    assert references(measurement(lenses=lenses[2:])).chance is None


def test_the_worst_regression_is_what_is_left_unexplained() -> None:
    lenses = [Lens(op=0, kind="loss", unexplained=share) for share in (0.3, None, 0.9)]
    assert references(measurement(lenses=tuple(lenses))).unexplained == 0.9
    assert references(measurement()).unexplained is None
