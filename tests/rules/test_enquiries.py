"""What is measured further: nothing of what is plainly healthy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.enquiry import Questions
from gradcheck_cli.records.measurement import Head, Lens, Measurement
from gradcheck_cli.rules import questions
from tests.measurements import LEAF, measurement, module, op, parameter
from tests.rules.chains import chain, deep

NOTHING = Questions()
HEAD = Head(op=2, call=0, distinguishability=0.5, rows=8, floor=1e-14)


def healthy(**fields: Any) -> Measurement:
    """Elasticities of 0.025 to 0.1."""
    plain: dict[str, Any] = {"loss": 0.5, "heads": (HEAD,)}
    return chain([0.5, 0.5, 0.5], **(plain | fields))


def asked(found: Measurement) -> Questions:
    return questions(gather(found))


def test_of_a_plainly_healthy_model_nothing_is_asked() -> None:
    assert asked(healthy()) == NOTHING
    assert not asked(healthy())


@pytest.mark.parametrize("loss", [6.0, 1e-4])
def test_weights_that_move_the_loss_unusually_little_or_much(loss: float) -> None:
    assert asked(healthy(loss=loss)) == Questions(nulls=True)


REGRESSION = Lens(op=0, kind="loss", output_rms=1.0, target_rms=1.0)


@pytest.mark.parametrize(("lenses", "asks"), [((REGRESSION,), False), ((), True)])
def test_a_loss_of_no_known_kind_is_looked_at_sooner(lenses: tuple[Lens, ...], asks: bool) -> None:
    found = healthy(loss=0.025, lenses=lenses)  # elasticities of 0.5 to 2
    assert asked(found) == Questions(nulls=asks)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_no_loss_is_large_by_itself(scale: float) -> None:
    found = healthy(loss=0.5 * scale)
    heavy = (replace(p, weight_norm=scale, active_weight_norm=scale) for p in found.parameters)
    assert asked(replace(found, parameters=tuple(heavy))) == NOTHING


@pytest.mark.parametrize(
    ("scales", "grown"),
    [((1, 1, 1), False), ((0.02, 1, 1), False), ((1, 10, 100), False), ((1, 2, 100), True), ((1, 1, 1e9), True)],
)
def test_activations_that_grow(scales: tuple[float, ...], grown: bool) -> None:
    """An embedding that starts at 0.02, before a norm that puts out 1, is no growth."""
    modules = [module("", "Net"), *(module(f"layers.{i}", output_rms=scale) for i, scale in enumerate(scales))]
    assert asked(replace(healthy(), modules=tuple(modules))) == Questions(nulls=grown)


@pytest.mark.parametrize("fields", [{"loss": float("nan")}, {"loss": float("inf")}])
def test_of_a_pass_that_is_not_finite_nothing_is_asked(fields: dict[str, Any]) -> None:
    assert asked(healthy(**fields)) == NOTHING


def test_a_gradient_that_is_not_finite() -> None:
    found = healthy(loss=1e-4)
    ops = (found.ops[0]._replace(edges=(found.ops[0].edges[0]._replace(norm=float("nan")),)), *found.ops[1:])
    ops = (ops[0], ops[1]._replace(total=float("nan")), *ops[2:])
    found = replace(found, ops=ops)
    assert found.culprit is not None
    assert asked(found) == NOTHING


def test_without_a_head_there_are_no_null_predictions() -> None:
    assert asked(healthy(loss=1e4, heads=())) == NOTHING


@pytest.mark.parametrize(
    ("spreads", "flat"),
    [
        (((1e-12, 1e-14),), True),
        (((1e-12, 1e-14), (1e-12, 1e-14)), True),
        (((1e-12, 1e-14), (0.1, 1e-14)), False),  # learns from the other part
        (((6e-5, 6e-5),), False),  # bfloat16 cannot tell
        (((None, 1e-14),), False),
        (((1e-5, 1e-14),), False),
    ],
)
def test_samples_that_are_one_and_the_same(spreads: tuple[tuple[float | None, float], ...], flat: bool) -> None:
    heads = tuple(HEAD._replace(distinguishability=spread, floor=floor) for spread, floor in spreads)
    assert asked(healthy(heads=heads)) == Questions(nulls=flat, profile=flat)


def test_the_steepest_layer_is_followed() -> None:
    found = asked(healthy(loss=4e-5))
    assert found.steep == 3  # the top one gets the largest gradient
    assert found.nulls
    assert asked(healthy(loss=4e-4)).steep is None


def test_a_custom_function_that_takes_decades_is_tested() -> None:
    faint = deep(("ScaleBackward", 1e-3), ("TanhBackward0", 0.5), heads=(HEAD,))
    assert asked(faint).functions == (3,)
    assert asked(deep(("ScaleBackward", 0.5), ("TanhBackward0", 1e-3))).functions == ()
    assert asked(deep(("ScaleBackward", 1e3))).functions == (3,)


def test_of_many_functions_the_worst_are_tested() -> None:
    found = deep(*((f"F{k}Backward", 10.0 ** -(2 + k)) for k in range(6)))
    assert asked(found).functions == (8, 7, 6, 5)


def test_a_model_without_a_matrix_is_not_odd_for_that() -> None:
    ops = (op("MeanBackward0", 1.0, (1, 1.0), module=-1), op(LEAF, 1.0))
    found = measurement(*ops, parameters=[parameter("scale", op=1, grad=1.0, shape=(4,))])
    assert asked(found) == NOTHING
