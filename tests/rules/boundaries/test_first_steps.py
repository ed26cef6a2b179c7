"""What the first updates do, and what a low precision loses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.choices import About, Severity
from gradcheck_cli.records.firstupdates import Moved, Stepped
from gradcheck_cli.records.measurement import Edge, Measurement, Rounding
from gradcheck_cli.records.trainingsettings import Training
from gradcheck_cli.rules import steps_wanted
from tests.measurements import LEAF, measurement, op, parameter
from tests.rules.chains import chain, diagnoses, only

NET = chain([1.0, 1.0], loss=1.0)
"""Layers with weights of norm 1 and gradients of 0.1, so that SGD at a rate of 10 moves them by themselves."""


def told(code: str, lr: float = 0.01, **stepped: Any) -> list[About | None]:
    """How sure a rule is of it, once for each thing that it tells."""
    update = Stepped(**({"before": 1.0, "after": 0.9, "parameters": ()} | stepped))
    return [d.doubt for d in diagnoses(code, NET, training=Training(lr=lr, stepped=update))]


@pytest.mark.parametrize(("ratio", "large", "small"), [(0.25, 0, 0), (0.4, 1, 0), (1.5e-6, 0, 0), (0.7e-6, 0, 1)])
def test_a_step_moves_a_layer_by_less_than_a_third_and_more_than_a_millionth(
    ratio: float, large: int, small: int
) -> None:
    assert (len(told("GC601", 10 * ratio)), len(told("GC602", 10 * ratio))) == (large, small)


@pytest.mark.parametrize(
    ("rise", "doubt"), [(0.07, []), (0.15, [About.WHOLE]), (0.8e4, [About.WHOLE]), (1.5e4, [None])]
)
def test_an_update_may_raise_its_own_loss_by_a_tenth_and_nothing_need_decide_ten_thousandfold(
    rise: float, doubt: list[About | None]
) -> None:
    assert told("GC603", after=1 + rise) == doubt


@pytest.mark.parametrize(("before", "compared"), [(1.0005, True), (1.003, False)])
def test_an_update_is_judged_where_its_copy_came_to_the_loss_that_was_measured(before: float, compared: bool) -> None:
    assert bool(told("GC603", before=before, after=2.0)) is compared


@pytest.mark.parametrize(("moved", "still"), [(70, True), (150, False)])
def test_an_update_that_moves_a_hundredth_of_the_weights_moves_something(moved: int, still: bool) -> None:
    parameters = (Moved("layers.0.weight", "bfloat16", driven=10_000, moved=moved, broken=0),)
    assert bool(told("GC605", parameters=parameters)) is still


# --------------------------------------------------------------------------- warm-up


def post_norm(norms: int) -> Measurement:
    """Residual sums, each of which is normalised, down to one weight."""
    ops, total = [op("MseLossBackward0", 1.0, (1, 1.0), module=-1, sequence=999)], 1.0
    for k in range(norms):
        start = 1 + 3 * k
        ops.append(op("NativeLayerNormBackward0", total, (start + 1, total), sequence=900 - 9 * k))
        ops.append(op("AddBackward0", total, (start + 2, total), (start + 3, total), sequence=899 - 9 * k))
        ops.append(op("AddmmBackward0", total, (start + 3, total), sequence=898 - 9 * k))
    ops += [op("MmBackward0", total, (len(ops) + 1, total), sequence=1), op(LEAF, total)]
    weights = [parameter("weight", op=len(ops) - 1, grad=total)]
    for k in range(norms):
        index = 3 + 3 * k
        ops[index] = ops[index]._replace(edges=(*ops[index].edges, Edge(len(ops), 1.0)))
        weights.append(parameter(f"{k}.weight", op=len(ops), grad=1.0))
        ops.append(op(LEAF, 1.0))
    return measurement(*ops, parameters=weights)


@pytest.mark.parametrize(("norms", "wanted"), [(10, False), (12, True), (20, True)])
def test_six_encoder_layers_have_a_dozen_norms_on_their_way_and_want_a_look_ahead(norms: int, wanted: bool) -> None:
    training = Training(lr=1e-3, stepped=Stepped(before=1.0, after=0.9, parameters=()))
    assert bool(steps_wanted(gather(post_norm(norms), training=training))) is wanted


# --------------------------------------------------------------------------- clipping


@pytest.mark.parametrize(("batches", "told"), [(3, False), (5, True)])
def test_a_clipping_threshold_takes_four_batches(batches: int, told: bool) -> None:
    training = Training(norms=tuple(float(1 + k) for k in range(batches)))
    assert bool(diagnoses("GC611", NET, training=training)) is told


def test_nine_of_ten_batches_are_not_clipped() -> None:
    training = Training(norms=tuple(float(1 + k) for k in range(100)))
    assert only("GC611", NET, training=training).numbers["threshold"] == 90.0


# --------------------------------------------------------------------------- precision

FLOAT16 = 65504.0


def rounded(**fields: Any) -> Measurement:
    plain: dict[str, Any] = {"lost": 0.2, "subnormal": 0.0, "near_limit": 0.0, "largest": 1.0, "largest_float32": 1.0}
    row = Rounding(parameter="layers.0.weight", dtype="float16", limit=FLOAT16, **(plain | fields))
    return replace(NET, roundings=(row,))


@pytest.mark.parametrize(
    ("lost", "severity"), [(0.07, []), (0.15, [Severity.WARNING]), (0.45, [Severity.WARNING]), (0.55, [Severity.ERROR])]
)
def test_a_tenth_of_a_gradient_may_be_flushed_and_half_of_it_is_an_error(lost: float, severity: list[Severity]) -> None:
    assert [d.severity for d in diagnoses("GC501", rounded(lost=lost))] == severity


@pytest.mark.parametrize("largest", [0.3, 1.0, 7.0])
def test_under_the_scale_that_is_told_a_gradient_four_times_as_large_still_fits(largest: float) -> None:
    scale = only("GC501", rounded(largest=largest, largest_float32=largest)).numbers["loss_scale"]
    assert 4 * float(scale) * largest <= FLOAT16 < 8 * float(scale) * largest


def test_no_scale_is_told_that_lifts_the_smallest_float16_above_1() -> None:
    smallest = 2.0**-24
    faint = replace(rounded(largest_float32=1e-9), ops=(), parameters=NET.parameters)
    layers = replace(faint, ops=tuple(o._replace(total=1e-9 * o.total) for o in NET.ops))
    assert float(only("GC501", layers).numbers["loss_scale"]) * smallest == 1.0
