"""What is gathered from a measurement, and the judgements that several rules share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from gradcheck_cli.evidence import Evidence, gather
from gradcheck_cli.records.drift import Drift
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.records.trainingsettings import Training
from tests.measurements import LEAF, measurement, module, op, parameter


def side_by_side(gradients: Sequence[float | None], loss: float = 1.0, **fields: Any) -> Measurement:
    """Layers that hang from one sum, behind a loss that passes on a thousandth; each has a weight of norm 1."""
    count = len(gradients)
    ops = [op("MseLossBackward0", 1.0, (1, 1e-3), module=-1)]
    ops += [op("AddBackward0", 1e-3, *((2 + 2 * k, 1e-3) for k in range(count)), module=0)]
    for k, gradient in enumerate(gradients):
        ops += [op("MmBackward0", 1e-3, (3 + 2 * k, gradient or 0.0), module=k + 1), op(LEAF, gradient or 0.0)]
    parameters = [
        parameter(f"{k}.weight", op=3 + 2 * k, grad=gradient, module=k + 1, **fields)
        for k, gradient in enumerate(gradients)
    ]
    modules = [module("", "Net"), *(module(str(k)) for k in range(count))]
    return measurement(*ops, parameters=parameters, modules=modules, loss=loss)


def test_all_that_is_known_is_handed_on() -> None:
    found, limits = side_by_side([1.0]), Thresholds(slower_decades=2.0)
    training, drift = Training(lr=0.1), Drift(limit=1.0, before={})
    evidence = gather(found, thresholds=limits, training=training, drift=drift)
    assert (evidence.measurement, evidence.thresholds, evidence.training, evidence.drift) == (
        found,
        limits,
        training,
        drift,
    )
    assert gather(found).thresholds == Thresholds()


def test_layers_are_sorted_into_those_that_learn_and_those_that_get_zero() -> None:
    evidence = gather(side_by_side([0.5, 0.0, None, math.inf, 2.0]))
    assert evidence.trainable == (1, 5)
    assert evidence.zero_layers == (2,)


def test_scales_and_biases_alone_are_not_judged() -> None:
    evidence = gather(side_by_side([0.5, 0.0], shape=(4,), numel=4))
    assert (evidence.trainable, evidence.zero_layers) == ((), ())


@pytest.mark.parametrize(
    ("gradients", "typical"),
    [
        ([0.1, 0.2, 0.4], 0.2),
        ([1e-9, 1e-9, 1e-9, 0.2], 0.2),  # where most are ill, a plain median would be ill too
        ([1e-9, 1e-8, 1e-7], 1e-8),  # none moves the loss
        ([], None),
    ],
)
def test_the_typical_layer_is_the_median_of_those_that_move_the_loss(
    gradients: list[float], typical: float | None
) -> None:
    assert gather(side_by_side(gradients)).typical_relative_gradient == pytest.approx(typical)


def test_what_all_paths_share_is_the_loss_and_what_scales_it() -> None:
    evidence = gather(side_by_side([0.5, 2.0]))
    assert evidence.shared == {0, 1}
    assert evidence.shared_decades == pytest.approx(-3)
    assert gather(side_by_side([])).shared_decades == 0.0


# --------------------------------------------------------------------------- cancelling


def merging(decades: float) -> Evidence:
    """Two contributions of norm 1 that come to a sum of 10^decades at the weight."""
    total = 10**decades
    found = measurement(
        op("AddBackward0", 1.0, (1, 1.0), (1, 1.0)),
        op("MmBackward0", total, (2, total)),
        op(LEAF, total),
        parameters=[parameter("weight", op=2, grad=total)],
    )
    return gather(found)


@pytest.mark.parametrize(
    ("decades", "limit", "cancels"), [(-5, 4, True), (-3, 4, False), (-3, 2, True), (-1, 2, False)]
)
def test_a_merge_cancels_by_the_threshold_that_is_given(decades: float, limit: float, cancels: bool) -> None:
    plain = merging(decades)
    moved = gather(plain.measurement, thresholds=Thresholds(slower_decades=limit))
    assert moved.cancels(0) is cancels


def test_a_layer_without_an_account_cancels_nothing() -> None:
    assert not gather(side_by_side([None])).cancels(1)


# --------------------------------------------------------------------------- gates that learn


def scaled(**gate: Any) -> Evidence:
    """A layer scale that passes on 1e-5 of the gradient, in front of a layer with a typical gradient of 0.1."""
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 1.0), (5, 0.1), module=-1),
        op("MulBackward0", 1.0, (2, 1e-5), (3, 0.1)),
        op("MmBackward0", 1e-5, (4, 1e-5), module=1),
        op(LEAF, 0.1),
        op(LEAF, 1e-5),
        op(LEAF, 0.1),
        parameters=[
            parameter("scale", op=3, **({"grad": 0.1, "weight_norm": 1e-5, "shape": (4,)} | gate)),
            parameter("branch.weight", op=4, grad=1e-5, module=1),
            parameter("head.weight", op=5, grad=0.1, module=2),
        ],
        modules=[module("", "Net"), module("branch"), module("head")],
    )
    return gather(found)


def test_a_small_scale_that_learns_at_speed_opens_by_itself() -> None:
    assert scaled().gate_learns(1, -5.0)


@pytest.mark.parametrize(
    ("gate", "decades"),
    [
        ({}, -1.0),  # it holds next to nothing back
        ({"weight_norm": 0.0}, -5.0),
        ({"grad": None}, -5.0),
        ({"grad": 1e-9}, -5.0),  # no faster than the others
    ],
)
def test_any_other_scale_does_not(gate: dict[str, float | None], decades: float) -> None:
    assert not scaled(**gate).gate_learns(1, decades)
