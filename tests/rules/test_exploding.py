"""Losses, gradients and squares of gradients that are far too large."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gradcheck_cli.records.choices import About, Severity
from gradcheck_cli.records.enquiry import Agreement, Enquiry
from gradcheck_cli.records.measurement import Lens
from gradcheck_cli.records.thresholds import Thresholds
from tests.measurements import judged, measurement, module, op, parameter
from tests.rules.chains import BODY, chain, codes, deep, diagnoses, only

GROWING = (("MmBackward0", 1e6),)


# --------------------------------------------------------------------------- the loss


@pytest.mark.parametrize(("per_sample", "found"), [(2.3, False), (20.0, False), (230.0, False), (476.0, True)])
def test_a_loss_far_above_chance(per_sample: float, found: bool) -> None:
    lens = Lens(op=0, kind="loss", per_sample=per_sample, length=10)
    assert [code for code, _ in codes(chain([0.5] * 3, loss=per_sample, lenses=(lens,)))] == ["GC303"] * found


def test_a_loss_far_above_chance_is_told_against_it() -> None:
    lens = Lens(op=0, kind="loss", per_sample=476.0, length=10)
    found = only("GC303", chain([0.5] * 3, loss=476.0, lenses=(lens,)))
    assert found.message == "the output explodes: the loss is 476, and a blind guess gives 2.30"
    assert found.numbers == {"loss": 476.0, "chance": math.log(10)}
    assert found.layers == ("layers.0", "layers.1", "layers.2")


@pytest.mark.parametrize(
    ("output", "target", "cause"),
    [
        (0.5, 5e4, "target-scale"),
        (0.5, 900.0, None),
        (10.0, 5e3, None),
        (100.0, 1.0, "unknown"),
        (100.0, 1e-3, "unknown"),  # targets near 0 are no scale
        (20.0, 1.0, None),
        (3e4, 1e4, None),
    ],
)
def test_outputs_and_targets_of_another_scale(output: float, target: float, cause: str | None) -> None:
    lens = Lens(op=0, kind="loss", output_rms=output, target_rms=target)
    found = diagnoses("GC303", chain([0.5] * 3, loss=target**2, lenses=(lens,)))
    assert [d.cause for d in found] == [cause] * (cause is not None)


def test_the_ratio_to_chance_and_to_the_targets_can_be_moved() -> None:
    lens = Lens(op=0, kind="loss", output_rms=0.5, target_rms=5e4)
    assert diagnoses("GC303", chain([0.5], lenses=(lens,)), thresholds=Thresholds(target_over_output=1e5)) == []


# --------------------------------------------------------------------------- gradients


@pytest.mark.parametrize(
    ("steps", "loss", "found"),
    [
        (GROWING, 1.0, True),
        (GROWING, 1e3, False),  # the loss is as large
        ([("MmBackward0", 10.0)], 1e-6, False),  # a loss near 0 makes elasticity large, and nothing grew
        ([("MmBackward0", 1e3)] * 3, 1e-3, True),
    ],
)
def test_a_layer_explodes_where_its_gradient_grew_on_the_way(steps, loss: float, found: bool) -> None:
    assert [d.layers for d in diagnoses("GC301", deep(*steps, loss=loss))] == [("body",)] * found


def test_a_layer_that_is_steep_is_a_suspicion_told_by_what_was_measured() -> None:
    found = only("GC301", deep(*GROWING), enquiry=Enquiry(agreement=Agreement(BODY, 1.5, 0.8, 0.35)))
    assert found.doubt is About.WHOLE and found.numbers["agreement"] == 0.35
    assert found.message == (
        "`body` has gradients that grow on their way down: a step of 0.01 % of the weights of `body` along its "
        "gradient changes the loss by 50.0 %"
    )
    assert judged(deep(*GROWING)).findings[0].severity is Severity.NOTE


@pytest.mark.parametrize(("loss", "zeroed", "found"), [(2e3, 1.0, About.WHOLE), (200.0, 1.0, About.WHOLE)])
def test_any_loss_is_held_against_that_of_no_prediction(loss: float, zeroed: float, found: About | None) -> None:
    told = only("GC303", chain([0.5] * 3, loss=loss), enquiry=Enquiry(zeroed=zeroed))
    assert told.doubt is found
    assert told.message.startswith("the loss explodes: it is") and told.numbers["loss_of_nothing"] == zeroed


def test_an_explosion_is_certain_where_something_grows() -> None:
    scales = [module("", "Net"), *(module(f"layers.{i}", output_rms=10.0 ** (3 * i)) for i in range(3))]
    found = replace(chain([0.5] * 3, loss=2e3), modules=tuple(scales))
    assert only("GC303", found, enquiry=Enquiry(zeroed=1.0)).doubt is None


@pytest.mark.parametrize(("loss", "zeroed"), [(20.0, 1.0), (-1e6, 1.0), (1.0, -1e-6), (1.0, 0.0)])
def test_a_loss_that_is_no_worse_or_has_no_floor_does_not_explode(loss: float, zeroed: float) -> None:
    assert diagnoses("GC303", chain([0.5] * 3, loss=loss), enquiry=Enquiry(zeroed=zeroed)) == []


def test_a_regression_is_held_against_the_scale_of_its_targets() -> None:
    lens = Lens(op=0, kind="loss", output_rms=0.5, target_rms=1e-3)
    assert diagnoses("GC303", chain([0.5], loss=0.25, lenses=(lens,)), enquiry=Enquiry(zeroed=1e-6)) == []


def test_a_step_that_was_not_measured_is_told_as_the_elasticity() -> None:
    found = only("GC301", deep(*GROWING))
    assert found.message == (
        "`body` has gradients that grow on their way down: the elasticity of the loss is up to 100,000"
    )
    assert found.numbers == {"elasticity": pytest.approx(1e5), "decades_grown": pytest.approx(6.0)}


def test_the_elasticity_that_explodes_can_be_moved() -> None:
    assert diagnoses("GC301", deep(*GROWING), thresholds=Thresholds(exploding_elasticity=1e6)) == []


# --------------------------------------------------------------------------- squares that overflow


@pytest.mark.parametrize(("signal", "growth", "cause"), [(1e25, 1.0, "loss-scale"), (1.0, 1e25, "large-init")])
def test_gradients_whose_squares_overflow(signal: float, growth: float, cause: str) -> None:
    found = only("GC304", deep(("MmBackward0", growth), signal=signal, loss=1e25))
    assert found.cause == cause
    assert found.numbers["largest"] == pytest.approx(1e25)
    assert "whose squares overflow float32" in found.message


@pytest.mark.parametrize(("largest", "found"), [(1.7e19, False), (1.9e19, True)])
def test_the_limit_is_the_root_of_the_largest_float32(largest: float, found: bool) -> None:
    wide = parameter("weight", op=0, grad=1.0, grad_max=largest)
    plain = deep(("MmBackward0", 1.0), parameters=[wide])
    assert bool(diagnoses("GC304", plain)) is found


def test_nothing_explodes_where_nothing_learns() -> None:
    frozen = measurement(op("MseLossBackward0", 1.0), loss=1e9)
    assert [diagnoses(code, frozen) for code in ("GC301", "GC303", "GC304")] == [[], [], []]
