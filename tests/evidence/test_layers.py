"""The layer table: what directly owns parameters, judged by its parameters together."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.measurement import ParameterMeasurement
from gradcheck_cli.records.report import Layer
from tests.measurements import LEAF, measurement, module, op, parameter


def layer(*parameters: ParameterMeasurement, loss: float = 1.0, **fields: Any) -> Layer:
    """The only layer of a measurement in which its parameters hang from one op."""
    ops = [op("AddmmBackward0", 1.0, *((k + 1, p.grad_norm or 0.0) for k, p in enumerate(parameters)))]
    ops += [op(LEAF, p.grad_norm or 0.0, sequence=-1) for p in parameters]
    found = measurement(*ops, parameters=parameters, modules=[module("net", **fields)], loss=loss)
    (only,) = gather(found).layers.values()
    return only


def test_a_layer_is_judged_by_its_parameters_together() -> None:
    found = layer(
        parameter("weight", op=1, grad=3.0, weight_norm=6.0, active_weight_norm=6.0, grad_max=2.0, zero_share=0.25),
        parameter("bias", op=2, grad=4.0, weight_norm=8.0, active_weight_norm=8.0, shape=(4,), numel=4, zero_share=0.5),
        loss=-0.5,
    )
    assert (found.grad_norm, found.weight_norm, found.relative_gradient) == (5.0, 10.0, 0.5)
    assert found.elasticity == pytest.approx(100.0)
    assert found.grad_rms == pytest.approx(5 / math.sqrt(20))
    assert found.decades == pytest.approx(math.log10(5))
    assert (found.grad_max, found.zero_share, found.parameters) == (4.0, pytest.approx(0.3), 20)
    assert found.by_kind == {"weight": pytest.approx(math.log10(4))}  # of its strongest parameter


@pytest.mark.parametrize("loss", [0.0, math.nan, math.inf])
def test_a_loss_of_zero_or_one_that_is_not_finite_has_no_elasticity(loss: float) -> None:
    assert layer(parameter("weight", op=1, grad=3.0), loss=loss).elasticity is None


@pytest.mark.parametrize("gradient", [0.0, math.inf, math.nan])
def test_a_gradient_of_zero_or_one_that_is_not_finite_has_no_decades(gradient: float) -> None:
    found = layer(parameter("weight", op=1, grad=gradient))
    assert found.decades is None
    assert found.grad_norm == pytest.approx(gradient, nan_ok=True)


def test_weights_of_zero_have_no_relative_gradient() -> None:
    found = layer(parameter("weight", op=1, grad=3.0, active_weight_norm=0.0))
    assert (found.relative_gradient, found.elasticity) == (None, 0.0)


def test_rows_that_were_not_looked_up_do_not_count_as_weight() -> None:
    found = layer(parameter("weight", op=1, grad=3.0, weight_norm=100.0, active_weight_norm=6.0))
    assert (found.weight_norm, found.relative_gradient) == (6.0, 0.5)


def test_a_parameter_without_a_gradient_does_not_hide_the_others() -> None:
    found = layer(
        parameter("weight", op=1, grad=3.0, weight_norm=6.0, active_weight_norm=6.0),
        parameter("frozen", op=None, grad=None, weight_norm=80.0, requires_grad=False),
    )
    assert (found.grad_norm, found.weight_norm, found.parameters, found.status) == (3.0, 6.0, 32, "ok")


@pytest.mark.parametrize(
    ("fields", "calls", "status"),
    [
        ({"grad": 1.0}, 1, "ok"),
        ({"grad": 0.0}, 1, "ok"),
        ({"grad": 1.0, "nan_count": 1}, 1, "non-finite"),
        ({"grad": math.inf, "inf_count": 3}, 1, "non-finite"),
        ({"grad": None, "requires_grad": False}, 1, "frozen"),
        ({"grad": None, "requires_grad": False}, 0, "frozen"),
        ({"grad": None}, 1, "none"),
        ({"grad": None}, 0, "unused"),
        ({"grad": 1.0}, 0, "ok"),  # used functionally
    ],
)
def test_the_status_of_a_layer(fields: dict[str, Any], calls: int, status: str) -> None:
    assert layer(parameter("weight", op=1, **fields), calls=calls).status == status


def test_the_stream_joins_the_gradients_of_all_that_a_layer_put_out() -> None:
    found = measurement(
        op("AddBackward0", 1.0, (1, 3.0), (2, 4.0)),
        op("MmBackward0", 3.0, module=1),
        op("MmBackward0", 4.0, module=1),
        parameters=[parameter("a.weight", op=None, grad=None, module=1), parameter("b", op=None, grad=None, module=2)],
        modules=[module("", "Net"), module("a", output_ops=(1, 2), output_rms=0.5), module("b", output_rms=None)],
    )
    a, b = gather(found).layers.values()
    assert (a.path, a.stream, a.activation_rms) == ("a", 5.0, 0.5)
    assert (b.path, b.stream, b.activation_rms) == ("b", None, None)


def test_layers_stand_in_the_models_order_and_modules_without_parameters_are_none() -> None:
    parameters = [parameter(f"{name}.weight", op=None, grad=None, module=index) for index, name in ((3, "b"), (1, "a"))]
    modules = [module("", "Net"), module("a"), module("act", "ReLU"), module("b")]
    found = gather(measurement(parameters=parameters, modules=modules)).layers
    assert [(index, each.path) for index, each in found.items()] == [(1, "a"), (3, "b")]
