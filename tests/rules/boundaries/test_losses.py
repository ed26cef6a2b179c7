"""Terms, targets and data that a model cannot use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradcheck_cli.records.measurement import Lens, Measurement
from gradcheck_cli.records.ops import LEAF
from gradcheck_cli.records.targetcomparison import Side
from gradcheck_cli.records.term import Term
from tests.measurements import measurement, module, op, parameter, stats
from tests.records.test_targetcomparison import comparison
from tests.rules.chains import chain, diagnoses

NET: dict[str, Any] = {
    "parameters": [parameter("net.weight", op=2, grad=1.0, module=1)],
    "modules": [module("", "Net"), module("net")],
}


def compared(**fields: Any) -> Measurement:
    """A layer under a tanh, whose output is compared with targets."""
    ops = (op("MseLossBackward0", 1.0, (1, 1.0)), op("TanhBackward0", 1.0, (2, 1.0), module=1), op(LEAF, 1.0))
    sides = {"made_by": "Tanh", "low": -1.0, "high": 1.0, "averaged": True}
    return measurement(*ops, comparisons=(comparison((8,), (8,), (8,), **(sides | fields)),), **NET)


@pytest.mark.parametrize(("share", "told"), [(0.03, False), (0.07, True)])
def test_one_target_in_twenty_may_be_out_of_reach(share: float, told: bool) -> None:
    assert bool(diagnoses("GC209", compared(outside=share))) is told


@pytest.mark.parametrize(("share", "told"), [(0.93, False), (0.97, True)])
def test_one_term_in_twenty_may_be_left_by_a_clamp(share: float, told: bool) -> None:
    assert bool(diagnoses("GC416", compared(clipped=share))) is told


@pytest.mark.parametrize(("most", "told"), [(1 + 0.5e-3, False), (1 + 2e-3, True), (-0.5e-3, False), (-2e-3, True)])
def test_labels_may_lie_beyond_0_and_1_by_rounding(most: float, told: bool) -> None:
    found = compared(function="binary_cross_entropy", made_by="Sigmoid")
    labels = Side(shape=(8,), least=min(most, 0.0), most=max(most, 1.0))
    beyond = replace(found, comparisons=(replace(found.comparisons[0], target=labels),))
    assert [d.cause for d in diagnoses("GC209", beyond)] == ["label-range"] * told


def weighed(ratio: float, function: str) -> Measurement:
    """An error, and a term with so many times its gradient: an error too, or a penalty."""
    ops = (
        op("AddBackward0", 1.0, (1, 1.0), (2, 1.0), module=-1),
        op("MseLossBackward0", 1.0, (3, 1.0), module=-1),
        op("AbsBackward0", 1.0, (3, ratio), module=-1),
        op("MmBackward0", 1.0 + ratio, (4, 1.0), module=1),
        op(LEAF, 1.0),
    )
    terms = (Term(1, 0.5), Term(2, 0.5))
    functions = [("mse_loss", 1)] + ([(function, 2)] if function else [])
    errors = tuple(comparison((8,), (8,), (8,), function=name, op=index) for name, index in functions)
    weight = parameter("net.weight", op=4, grad=1.0, module=1)
    return measurement(*ops, **NET | {"parameters": [weight]}, terms=terms, comparisons=errors)


@pytest.mark.parametrize(
    ("ratio", "function", "told"),
    [(25.0, "", False), (40.0, "", True), (0.8e4, "l1_loss", False), (1.5e4, "l1_loss", True)],
)
def test_a_penalty_outweighs_an_error_thirtyfold_and_an_error_another_ten_thousandfold(
    ratio: float, function: str, told: bool
) -> None:
    assert bool(diagnoses("GC216", weighed(ratio, function))) is told


# --------------------------------------------------------------------------- data


def table(**fields: Any) -> Measurement:
    return chain([0.3, 0.3], inputs=(stats("x", **fields),))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"widest": 0.8e4, "column": 2}, False),
        ({"widest": 1.5e4, "column": 2}, True),
        ({"offset": 80.0}, False),
        ({"offset": 150.0}, True),
    ],
)
def test_columns_of_other_scales_or_far_from_0(fields: dict[str, Any], told: bool) -> None:
    assert bool(diagnoses("GC212", table(**fields))) is told


@pytest.mark.parametrize(("rms", "told"), [(0.7e-3, True), (1.5e-3, False), (80.0, False), (150.0, True)])
def test_inputs_from_a_thousandth_to_a_hundred_are_told_of_by_no_rule_of_their_own(rms: float, told: bool) -> None:
    assert bool(diagnoses("GC217", table(rms=rms))) is told


# --------------------------------------------------------------------------- labels


def labelled(most: int, count: int) -> Measurement:
    """A squared error of one output a sample against whole numbers that came as integers."""
    target = Side(shape=(count,), least=0.0, most=float(most), whole=True)
    found = compared(function="mse_loss", made_by="")
    labels = replace(found.comparisons[0], target=target, output=Side(shape=(count,), least=0.0, most=1.0))
    given = stats("y", shape=(count,), numel=count, dtype="int64")
    return replace(found, comparisons=(labels,), targets=(given,))


@pytest.mark.parametrize(
    ("most", "count", "told"),
    [(14, 15 * 8, True), (26, 27 * 8, False), (4, 5 * 3, False), (4, 5 * 6, True)],
)
def test_a_few_whole_numbers_each_seen_often_may_be_classes(most: int, count: int, told: bool) -> None:
    assert bool(diagnoses("GC214", labelled(most, count))) is told


@pytest.mark.parametrize(("count", "told"), [(3, False), (5, True)])
def test_three_targets_are_alike_by_chance(count: int, told: bool) -> None:
    found = compared(function="mse_loss", made_by="")
    alike = replace(
        found.comparisons[0],
        target=Side(shape=(count,), least=3.0, most=3.0, spread=0.0),
        output=Side(shape=(count,), least=0.0, most=1.0),
    )
    given = stats("y", shape=(count,), numel=count, std=0.0)
    measured = replace(found, comparisons=(alike,), targets=(given,))
    assert [d.cause for d in diagnoses("GC213", measured)] == ["constant-target"] * told


@pytest.mark.parametrize(("passed", "told"), [(0.007, True), (0.015, False)])
def test_a_minimax_loss_is_flat_where_a_hundredth_of_its_gradient_passes(passed: float, told: bool) -> None:
    """log(1 - p) of a sigmoid, of which the logits hear so much."""
    ops = (
        op("MeanBackward0", 1.0, (1, 1.0), module=-1),
        op("LogBackward0", 1.0, (2, 1.0), module=-1),
        op("RsubBackward1", 1.0, (3, 1.0), module=-1),
        op("SigmoidBackward0", 1.0, (4, passed), module=1),
        op("MmBackward0", passed, (5, passed), module=1),
        op(LEAF, passed),
    )
    flat = Lens(op=3, kind="activation", saturated=1.0)
    weight = parameter("net.weight", op=5, grad=passed, module=1)
    found = measurement(*ops, **NET | {"parameters": [weight]}, terms=(Term(0, -0.01),), lenses=(flat,))
    assert bool(diagnoses("GC215", found)) is told
