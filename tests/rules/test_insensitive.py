"""A loss that hardly depends on the weights, and the evidence that names the cause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradcheck_cli.records.choices import About
from gradcheck_cli.records.enquiry import Enquiry
from gradcheck_cli.records.measurement import Head, Lens, Measurement
from gradcheck_cli.records.thresholds import Thresholds
from tests.measurements import LEAF, judged, measurement, module, op, parameter, stats
from tests.rules.chains import FIRST, HEAD, chain, deep, diagnoses, only, sending


def deaf(slopes: tuple[float, ...] = (0.5, 0.5), loss: float = 1e6, **fields: Any) -> Measurement:
    """Layers that move a large loss by next to nothing."""
    return chain(slopes, loss=loss, **fields)


def putting_out(*scales: float | None) -> dict[str, Any]:
    layers = [module(f"layers.{i}", output_rms=scale) for i, scale in enumerate(scales)]
    return {"modules": (module("", "Net", output_rms=None), *layers)}


SATURATED = Lens(op=1, kind="activation", saturated=0.95)


def test_a_loss_that_nothing_moves_is_no_illness_without_a_cause() -> None:
    """A model that has converged looks alike."""
    assert diagnoses("GC203", deaf()) == []


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"inputs": (stats("x", rms=1e-5),)}, "input-scale"),
        ({"lenses": (SATURATED,)}, "saturated-output"),
        ({"lenses": (replace(SATURATED, op=4),)}, "saturating-activation"),  # a weight stands above it
    ],
)
def test_the_cause_is_what_the_evidence_names(fields: dict[str, Any], cause: str) -> None:
    found = only("GC203", deaf(**fields))
    assert (found.cause, found.layers) == (cause, ("layers.0", "layers.1"))
    assert found.message == (
        "the loss hardly depends on `layers.0` and `layers.1`: if their weights change by 1 %, the loss changes by "
        "less than 1e-7 of its value"
    )


@pytest.mark.parametrize("lens", [replace(SATURATED, saturated=0.5), replace(SATURATED, op=2)])
def test_an_output_that_is_partly_flat_and_an_op_that_is_not_bounded_explain_nothing(lens: Lens) -> None:
    assert diagnoses("GC203", deaf(lenses=(lens,))) == []


def test_a_signal_that_dies_on_its_way_forward() -> None:
    found = chain([0.5, 0.5, 0.5], loss=1e6)
    dying = replace(found, **putting_out(1.0, 1e-3, 1e-6))
    told = only("GC203", dying)
    assert (told.cause, told.numbers["activation_decades"]) == ("small-init", pytest.approx(-6))
    assert "from an RMS of 1 to 1e-6" in told.why
    assert diagnoses("GC203", replace(found, **putting_out(1.0, 0.5, 0.1))) == []


def test_slopes_that_took_three_decades() -> None:
    found = only("GC203", deaf((1e-2, 1e-2)))
    assert (found.cause, found.numbers["decades_activation"]) == ("saturating-activation", pytest.approx(-4))
    assert found.why == "the gradient of `layers.0` gets about 1e4 times smaller in 2 sigmoid slopes"
    assert diagnoses("GC203", deaf((0.1, 0.1))) == []


def test_weights_that_took_it_where_activations_were_not_seen() -> None:
    unseen = [module("", "Net"), *(module(name, output_rms=None) for name in ("head", "body"))]
    found = deep(("MmBackward0", 0.1), ("MmBackward0", 0.1), loss=1e8, modules=unseen)
    told = only("GC203", found)
    assert (told.cause, told.numbers["decades_weight"]) == ("small-init", pytest.approx(-2))
    assert diagnoses("GC203", replace(found, modules=(unseen[0], module("head"), module("body")))) == []


# --------------------------------------------------------------------------- one answer for every sample

ONE_ANSWER = Enquiry(mean=1e6)


def test_a_loss_of_one_answer_that_nothing_moves_is_ill_also_without_a_cause() -> None:
    found = only("GC203", deaf(), enquiry=ONE_ANSWER)
    assert (found.cause, found.layers, found.doubt) == ("unknown", ("layers.0", "layers.1"), None)
    assert found.message.startswith("every sample gets the same answer: the loss is 1e6, one answer for all costs 1e6")
    assert found.why.startswith("the gradient loses")


def test_one_answer_is_a_suspicion_where_a_weight_nearly_moves_the_loss() -> None:
    found = only("GC203", deaf(loss=200.0), enquiry=Enquiry(mean=200.0))
    assert found.doubt is About.WHOLE and found.numbers["largest_elasticity"] == pytest.approx(2.5e-4)


@pytest.mark.parametrize("mean", [1.2e6, 0.5e6, -1e6])
def test_a_loss_that_is_not_that_of_one_answer_needs_a_cause(mean: float) -> None:
    assert diagnoses("GC203", deaf(), enquiry=Enquiry(mean=mean)) == []


def test_what_has_learned_is_not_insensitive_though_a_cause_is_there() -> None:
    fields: dict[str, Any] = {"inputs": (stats("x", rms=1e-5),)}
    assert only("GC203", deaf(**fields), enquiry=ONE_ANSWER).cause == "input-scale"
    assert diagnoses("GC203", deaf(**fields), enquiry=Enquiry(mean=2e6)) == []


def test_targets_far_above_the_output_are_the_cause_of_one_answer() -> None:
    lens = Lens(op=0, kind="loss", output_rms=0.1, target_rms=900.0)
    assert only("GC203", deaf(lenses=(lens,)), enquiry=ONE_ANSWER).cause == "target-scale"


def test_where_samples_become_one_is_told_by_depth() -> None:
    head = Head(op=1, call=0, distinguishability=1e-12, rows=64, floor=1e-14)
    assert diagnoses("GC203", deaf(heads=(head,)), enquiry=ONE_ANSWER) == []


# --------------------------------------------------------------------------- when it is said


@pytest.mark.parametrize(("loss", "limit", "found"), [(1.0, 1e-5, False), (1e6, 1e-5, True), (1e6, 1e-9, False)])
def test_the_elasticity_that_counts_as_deaf_can_be_moved(loss: float, limit: float, found: bool) -> None:
    limits = Thresholds(insensitive_elasticity=limit)
    assert bool(diagnoses("GC203", deaf(loss=loss, lenses=(SATURATED,)), thresholds=limits)) is found


def test_a_few_deaf_layers_among_many_are_another_rules() -> None:
    slopes = (0.5, 0.5, 1e-7, 1.0)
    assert [d.layers for d in diagnoses("GC203", chain(slopes, loss=1.0, lenses=(SATURATED,)))] == [
        ("layers.0", "layers.1")
    ]
    slopes = (0.5, 0.5, 0.5, 1e-7)
    assert diagnoses("GC203", chain(slopes, loss=1.0, lenses=(SATURATED,))) == []


def biased(inputs: float) -> Measurement:
    """A first layer whose bias is heard and whose weight is not."""
    return measurement(
        op("MseLossBackward0", 1.0, (1, 0.1), module=-1),
        op("AddmmBackward0", 0.1, (2, 1e-6), (3, 0.1)),
        op(LEAF, 1e-6),
        op(LEAF, 0.1),
        parameters=[
            parameter("weight", op=2, grad=1e-6),
            parameter("bias", op=3, grad=0.1, shape=(4,), numel=4),
        ],
        modules=[module("net")],
        inputs=(stats("x", rms=inputs),),
    )


@pytest.mark.parametrize(("inputs", "codes"), [(1e-6, ["GC203"]), (1.0, [])])
def test_inputs_so_faint_that_only_the_bias_is_heard(inputs: float, codes: list[str]) -> None:
    found = judged(biased(inputs)).findings
    assert [f.code for f in found if f.severity.value != "note"] == codes
    assert [f.cause for f in found if f.code == "GC203"] == ["input-scale"] * len(codes)


@pytest.mark.parametrize(("gradient", "found"), [(0.1, False), (0.0, True)])
def test_layers_behind_a_gate_that_learns_are_not_deaf(gradient: float, found: bool) -> None:
    plain = deep(("MulBackward0", 1e-6), ("SigmoidBackward0", 1.0), ("MmBackward0", 1.0))
    leaf = len(plain.ops)
    gated = sending(plain, FIRST, (leaf, gradient))
    scale = parameter("scale", op=leaf, grad=gradient, module=HEAD, shape=(4,), numel=4, weight_norm=1e-6)
    behind = replace(
        gated,
        ops=(*gated.ops, op(LEAF, gradient)),
        parameters=(plain.parameters[0], scale),
        lenses=(replace(SATURATED, op=FIRST + 1),),
    )
    assert [d.layers for d in diagnoses("GC203", behind)] == [("body",)] * found


@pytest.mark.parametrize(
    ("activation", "cause"),
    [
        ("ExpBackward0", "exp-underflow"),
        ("MineBackward", "custom-backward"),
        ("LogBackward0", None),  # what no cause stands for
        ("ReluBackward0", None),  # all models have weights and rectifiers, and a converged one looks alike
    ],
)
def test_what_took_most_of_the_gradient_is_the_cause_where_it_is_one(activation: str, cause: str | None) -> None:
    found = diagnoses("GC203", chain([0.02] * 4, activation, loss=1e6))
    assert [d.cause for d in found] == [cause] * (cause is not None)
    assert all(d.shares and d.op is not None for d in found)
