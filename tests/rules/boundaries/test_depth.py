"""What makes a layer slow, and what is to blame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.choices import About
from gradcheck_cli.records.enquiry import Enquiry, FunctionTest
from gradcheck_cli.records.measurement import Lens, Measurement
from tests.measurements import LEAF, measurement, module, op, parameter
from tests.rules.chains import FIRST, chain, deep, diagnoses, only


def side_by_side(layers: Sequence[tuple[float, float]], loss: float) -> Measurement:
    """Layers of this gradient and this norm of the weights, each with its own way to the loss, the first one first."""
    ways = [(1 + 2 * k, gradient) for k, (gradient, _) in enumerate(layers)]
    ops = [op("MseLossBackward0", 1.0, *ways, module=-1, sequence=100)]
    parameters = []
    for k, (gradient, norm) in enumerate(layers):
        ops += [op("MmBackward0", gradient, (2 + 2 * k, gradient), module=1 + k, sequence=k), op(LEAF, gradient)]
        fields: dict[str, Any] = {"module": 1 + k, "weight_norm": norm, "active_weight_norm": norm}
        parameters.append(parameter(f"{k}.weight", op=2 + 2 * k, grad=gradient, **fields))
    modules = [module("", "Net"), *(module(str(k)) for k in range(len(layers)))]
    return measurement(*ops, parameters=parameters, modules=modules, loss=loss)


@pytest.mark.parametrize(
    ("behind", "told"),
    [(1.9, "nothing"), (2.1, "a suspicion"), (4.9, "a suspicion"), (5.1, "ill")],
)
def test_half_of_the_decades_are_a_suspicion_and_one_more_than_all_of_them_an_illness(behind: float, told: str) -> None:
    found = diagnoses("GC201", deep(("MulBackward0", 10**-behind), ("MmBackward0", 1.0), loss=200.0))
    assert told == ("nothing" if not found else "a suspicion" if found[0].doubt is About.PART else "ill")


@pytest.mark.parametrize(("share", "ill"), [(1.5e-4, True), (0.7e-4, False)])
def test_one_layer_that_moves_the_loss_is_what_a_layer_is_like_and_one_that_does_not_is_none(
    share: float, ill: bool
) -> None:
    """Of four layers the top one alone is six decades ahead; where it moves nothing either, the others are typical."""
    found = diagnoses("GC201", chain([1.0, 1e-6, 1.0, 1.0], loss=0.1 / share))
    assert [d.layers for d in found] == [("layers.0", "layers.1", "layers.2")] * ill


@pytest.mark.parametrize(("share", "ill"), [(0.014, True), (0.007, False)])
def test_layers_that_move_the_loss_far_less_than_another_are_not_typical(share: float, ill: bool) -> None:
    """Small quick layers: they count as typical, and then the slow one is behind, if the loss hears enough of them."""
    slow, heavy, quick = (10**-4.5, 1.0), (0.01, 100.0), (share**0.5, share**0.5)
    assert bool(diagnoses("GC201", side_by_side([slow, heavy, quick, quick, quick], loss=10.0))) is ill


@pytest.mark.parametrize(("gain", "cause"), [(0.2, "small-init"), (0.3, "depth")])
def test_a_weight_that_keeps_less_than_a_quarter_is_too_small_and_else_there_are_too_many(
    gain: float, cause: str
) -> None:
    assert only("GC201", deep(*[("MmBackward0", gain)] * 11)).cause == cause


@pytest.mark.parametrize(("share", "cause"), [(0.45, "unknown"), (0.55, "residual-scale")])
def test_a_cause_explains_half_of_the_decades(share: float, cause: str) -> None:
    lost = 8.0  # the rest went to what is no cause
    steps = [("MulBackward0", 10 ** (-lost * share)), ("LogBackward0", 10 ** (-lost * (1 - share)))]
    assert only("GC201", deep(*steps, ("MmBackward0", 1.0))).cause == cause


@pytest.mark.parametrize(
    ("test", "cause"),
    [
        (FunctionTest(op=FIRST, decades=-0.25, alike=1.0), "saturating-activation"),
        (FunctionTest(op=FIRST, decades=-0.4, alike=1.0), "custom-backward"),
        (FunctionTest(op=FIRST, decades=0.4, alike=1.0), "custom-backward"),
        (FunctionTest(op=FIRST, decades=0.0, alike=0.93), "saturating-activation"),
        (FunctionTest(op=FIRST, decades=0.0, alike=0.87), "custom-backward"),
    ],
)
def test_a_backward_within_a_factor_of_two_and_of_the_same_direction_is_true(test: FunctionTest, cause: str) -> None:
    found = deep(("MineBackward", 1e-6), ("MmBackward0", 1.0))
    assert only("GC201", gather(found, enquiry=Enquiry(functions=(test,)))).cause == cause


@pytest.mark.parametrize(("share", "cause"), [(0.45, "unknown"), (0.55, "softmax-saturation")])
def test_most_rows_of_a_softmax_that_is_to_blame_are_one_hot(share: float, cause: str) -> None:
    one_hot = Lens(op=FIRST, kind="softmax", saturated=share, length=8)
    assert only("GC201", deep(("SoftmaxBackward0", 1e-6), ("MmBackward0", 1.0), lenses=(one_hot,))).cause == cause
