"""A layer whose activation is saturated nearly everywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradcheck_cli.records.measurement import Lens
from gradcheck_cli.records.thresholds import Thresholds
from tests.measurements import LEAF, measurement, module, op, parameter, stats
from tests.rules.chains import chain, diagnoses, only

FLAT = Lens(op=4, kind="activation", saturated=0.97, units=32, samples=64)


def found(lens: Lens = FLAT, activation: str = "TanhBackward0", **fields: Any):
    """Two layers under their activations; the lens is of the lower one."""
    return chain([0.5, 0.5], activation, lenses=(lens,), **fields)


def test_a_layer_whose_tanh_is_flat_is_named() -> None:
    told = only("GC206", found())
    assert (told.cause, told.layers, told.op) == ("saturating-activation", ("layers.0",), 4)
    assert told.message == "97 % of what `layers.0` puts out saturates tanh in `layers.0`"
    assert told.why == "3.0 % of its elements have a slope above a hundredth of the largest"


@pytest.mark.parametrize(("inputs", "cause"), [(1.0, "saturating-activation"), (400.0, "input-scale")])
def test_large_inputs_are_the_cause_where_there_are_any(inputs: float, cause: str) -> None:
    told = only("GC206", found(inputs=(stats("x", rms=inputs),)))
    assert (told.cause, told.numbers["input_rms"]) == (cause, inputs)
    assert ("the inputs' RMS is 400" in told.why) is (cause == "input-scale")


@pytest.mark.parametrize(
    ("lens", "activation"),
    [
        (replace(FLAT, saturated=0.9), "TanhBackward0"),
        (replace(FLAT, units=1, samples=63), "TanhBackward0"),  # on so few a share can be chance
        (replace(FLAT, op=1), "TanhBackward0"),  # a last one is saturated once a model has learned
        (FLAT, "ReluBackward0"),
        (FLAT, "GeluBackward0"),
        (FLAT, "TanhBackward"),  # a custom Function
    ],
)
def test_any_other_is_left_alone(lens: Lens, activation: str) -> None:
    assert diagnoses("GC206", found(lens, activation)) == []


@pytest.mark.parametrize(("factor", "layers"), [(5, [("gate",)]), (7, [])])
def test_a_gate_may_be_closed_by_design_and_x_times_sigmoid_of_x_is_none(factor: int, layers: list[object]) -> None:
    product = measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), module=-1),
        op("AddmmBackward0", 0.5, (2, 0.5), (3, 0.5), module=2),
        op(LEAF, 0.5),
        op("MulBackward0", 0.5, (4, 0.5), (factor, 0.5)),
        op("SigmoidBackward0", 0.5, (5, 0.01)),
        op("MmBackward0", 0.01, (6, 0.01), module=1),
        op(LEAF, 0.01),
        op("MmBackward0", 0.5),
        parameters=[
            parameter("gate.weight", op=6, grad=0.01, module=1),
            parameter("head.weight", op=2, grad=0.5, module=2),
        ],
        modules=[module("", "Net"), module("gate"), module("head")],
        lenses=(FLAT,),
    )
    assert [d.layers for d in diagnoses("GC206", product)] == layers


def test_the_share_can_be_moved() -> None:
    assert diagnoses("GC206", found(), thresholds=Thresholds(saturated_share=0.99)) == []
