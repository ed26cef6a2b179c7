"""Gradients that are exactly zero: at a step function, a dead rectifier, a mask, or a gate that will open."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.enquiry import Enquiry, FunctionTest
from gradcheck_cli.records.measurement import Head, Lens
from tests.measurements import LEAF, judged, measurement, module, op, parameter
from tests.rules.chains import chain, codes, diagnoses, ill, only


@pytest.mark.parametrize(
    ("activation", "code", "cause"),
    [
        ("RoundBackward0", "GC402", "non-differentiable-op"),
        ("SignBackward0", "GC402", "non-differentiable-op"),
        ("ReluBackward0", "GC403", "dead-relu"),
        ("TanhBackward0", "GC201", "saturating-activation"),
    ],
)
def test_a_gradient_of_exactly_zero_is_blamed_on_the_op_that_made_it(activation: str, code: str, cause: str) -> None:
    found = judged(chain([0.5, 0.0, 0.5], activation))
    serious = [f for f in found.findings if f.severity is not Severity.NOTE]
    assert [(f.code, f.cause, f.layers, f.op) for f in serious] == [(code, cause, ("layers.0", "layers.1"), activation)]
    assert [layer.status for layer in found.layers] == [code, code, "ok"]


@pytest.mark.parametrize("name", ["ExpandBackward0", "MaskedFillBackward0", "IndexBackward0"])
def test_gradients_that_end_at_an_expand_or_a_mask_are_a_note_and_nothing_is_saturated(name: str) -> None:
    found = judged(chain([0.5, 0.0, 0.5], name))
    (note,) = found.findings
    assert (note.code, note.cause, note.severity, note.layers) == (
        "GC412",
        "masked",
        Severity.NOTE,
        ("layers.0", "layers.1"),
    )
    assert "saturated" not in note.message + note.why
    assert [layer.status for layer in found.layers] == ["ok"] * 3


@pytest.mark.parametrize("name", ["SignBackward", "ReluBackward", "SigmoidBackward"])
def test_a_custom_function_that_sends_zero_is_a_surrogate_and_not_torchs_op_of_that_name(name: str) -> None:
    assert ill(chain([0.5, 0.0, 0.5], name)) == [("GC403", "dead-surrogate")]


def test_a_custom_function_whose_forward_moves_is_no_unit_that_is_off() -> None:
    """A gradient that is reversed times 0, as domain adaptation starts, is a note as it was."""
    found = chain([0.5, 0.0, 0.5], "ReverseBackward")
    moves = Enquiry(functions=(FunctionTest(4, -math.inf, 0.0),))
    assert diagnoses("GC403", found, enquiry=moves) == []
    assert [d.cause for d in diagnoses("GC412", found, enquiry=moves)] == ["masked"]


def test_what_a_step_function_blocks_is_told_with_what_arrives_there() -> None:
    found = only("GC402", chain([0.5, 0.0, 0.5], "RoundBackward0"))
    assert (found.op, found.numbers) == (4, {"layers": 2, "blocking_ops": 1})
    assert found.message == (
        "round in `layers.1` is flat between its jumps, so `layers.0` and `layers.1` get a gradient of exactly 0"
    )
    assert found.why.startswith("a gradient of norm 0.05 arrives at round in `layers.1`")


# --------------------------------------------------------------------------- masks


def nothing_learns(name: str, loss: float, *, owner: int = -1, **fields: object):
    """A loss that passes nothing on, over one layer."""
    return measurement(
        op(name, 1.0, (1, 0.0), module=owner),
        op("MmBackward0", 0.0, (2, 0.0), module=1),
        op(LEAF, 0.0),
        parameters=[parameter("net.weight", op=2, grad=0.0, module=1)],
        modules=[module("", "Net"), module("net")],
        loss=loss,
        **fields,
    )


@pytest.mark.parametrize("loss", [0.0, 3.0])
def test_a_batch_that_is_masked_completely_is_ill(loss: float) -> None:
    assert ill(nothing_learns("MulBackward0", loss)) == [("GC405", "masked-loss")]


def test_a_gradient_that_is_there_in_float64_has_underflowed() -> None:
    found = only("GC405", nothing_learns("MulBackward0", 3.0), enquiry=Enquiry(in_double=2e-60))
    assert (found.cause, found.numbers["in_float64"]) == ("exp-underflow", 2e-60)
    assert "in float64 its gradient has a norm of 2e-60" in found.why


def test_where_all_units_are_off_equal_things_are_compared_and_nothing_is_masked() -> None:
    dead = Lens(op=4, kind="activation", slope=0.0, dead=1.0, units=8, samples=64)
    found = chain(
        [0.0, 0.0, 0.0],
        "PowBackward0",
        lenses=(dead,),
        heads=(Head(op=2, call=2, distinguishability=None, rows=64, floor=1e-14),),
    )
    assert "GC405" not in [code for code, _ in codes(found)]
    apart = found.heads[0]._replace(distinguishability=0.5)
    assert diagnoses("GC405", replace(found, heads=(apart,))) != []


def test_a_hinge_that_is_satisfied_and_a_batch_that_is_fitted_are_not() -> None:
    fitted = Lens(op=0, kind="loss", output_rms=2.0, target_rms=2.0)
    assert ill(nothing_learns("ClampMinBackward0", 0.0)) == []
    assert ill(nothing_learns("MulBackward0", 0.0, lenses=(fitted,))) == []


def test_a_loss_that_is_clamped_for_the_whole_batch_is_flat_and_not_masked() -> None:
    assert codes(nothing_learns("ClampMinBackward0", 3.0)) == [("GC405", "saturated-loss")]


def test_one_layer_with_a_gradient_is_enough_to_say_that_the_batch_was_not_masked() -> None:
    assert diagnoses("GC405", chain([0.5, 0.0], "MaskedFillBackward0")) == []


# --------------------------------------------------------------------------- gates that will open


def test_a_gate_of_zero_that_learns_is_a_note() -> None:
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), module=-1),
        op("MulBackward0", 0.5, (2, 0.7), (3, 0.0)),
        op(LEAF, 0.7),
        op("MmBackward0", 0.0, (4, 0.0), module=1),
        op(LEAF, 0.0),
        parameters=[
            parameter("gate", op=2, grad=0.7, weight_norm=0.0, active_weight_norm=0.0, shape=(1,), numel=1),
            parameter("branch.weight", op=4, grad=0.0, module=1),
        ],
        modules=[module("", "Net"), module("branch")],
    )
    (note,) = judged(found).findings
    assert (note.code, note.severity, note.layers) == ("GC411", Severity.NOTE, ("branch",))
    assert note.message == "`branch` gets no gradient yet: `gate` is all 0 now and moves with the first step"


def test_a_factor_that_a_layer_of_zeros_makes_is_a_gate() -> None:
    found = product(left=0.0, right=1.0, gradient=0.3)
    (note,) = judged(found).findings
    assert (note.code, note.layers, note.cause) == ("GC411", ("right",), "by-design-zero")
    assert note.message == "`right` gets no gradient yet: `left.weight` is all 0 now and moves with the first step"
    assert diagnoses("GC411", product(left=1.0, right=1.0, gradient=0.3)) == []


def test_every_gate_is_named() -> None:
    found = measurement(
        op("AddBackward0", 1.0, (1, 0.5), (2, 0.5), module=-1),
        op("MulBackward0", 0.5, (3, 0.7), (5, 0.0)),
        op("MulBackward0", 0.5, (4, 0.7), (6, 0.0)),
        op(LEAF, 0.7),
        op(LEAF, 0.7),
        op("MmBackward0", 0.0, (7, 0.0), module=1),
        op("MmBackward0", 0.0, (8, 0.0), module=2),
        op(LEAF, 0.0),
        op(LEAF, 0.0),
        parameters=[
            parameter("first", op=3, grad=0.7, weight_norm=0.0, active_weight_norm=0.0, shape=(1,), numel=1),
            parameter("second", op=4, grad=0.7, weight_norm=0.0, active_weight_norm=0.0, shape=(1,), numel=1),
            parameter("a.weight", op=7, grad=0.0, module=1),
            parameter("b.weight", op=8, grad=0.0, module=2),
        ],
        modules=[module("", "Net"), module("a"), module("b")],
    )
    told = only("GC411", found)
    assert told.layers == ("a", "b")
    assert "`first` and `second` are all 0 now and move with the first step" in told.message


# --------------------------------------------------------------------------- two factors of zero


def product(*, left: float, right: float, gradient: float = 0.0):
    """left(x) * right(x), of weights of these norms; `gradient` arrives at the left one."""
    return measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), module=-1),
        op("MulBackward0", 0.5, (2, gradient), (4, 0.0)),
        op("MmBackward0", gradient, (3, gradient), module=1),
        op(LEAF, gradient),
        op("MmBackward0", 0.0, (5, 0.0), module=2),
        op(LEAF, 0.0),
        parameters=[
            parameter("left.weight", op=3, grad=gradient, weight_norm=left, active_weight_norm=left, module=1),
            parameter("right.weight", op=5, grad=0.0, weight_norm=right, active_weight_norm=right, module=2),
        ],
        modules=[module("", "Net"), module("left"), module("right")],
    )


def test_two_factors_that_are_both_zero_never_open() -> None:
    found = only("GC408", product(left=0.0, right=0.0))
    assert (found.cause, found.layers, found.op) == ("zero-product", ("left", "right"), 1)
    assert found.message.startswith("`left.weight` and `right.weight` are all 0 and multiply each other")


@pytest.mark.parametrize("found", [product(left=0.0, right=1.0, gradient=0.3), product(left=1.0, right=1.0)])
def test_one_factor_of_zero_opens_and_factors_that_are_not_zero_are_masked_at_most(found) -> None:
    assert diagnoses("GC408", found) == []


def test_a_trunk_behind_several_blockers_is_told_once() -> None:
    """A mask nearer to the loss hides nothing of a rectifier that is off."""
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), (2, 0.5), module=-1),
        op("MaskedFillBackward0", 0.5, (3, 0.0)),
        op("ReluBackward0", 0.5, (3, 0.0)),
        op("MmBackward0", 0.0, (4, 0.0), module=1),
        op(LEAF, 0.0),
        parameters=[parameter("trunk.weight", op=4, grad=0.0, module=1)],
        modules=[module("", "Net"), module("trunk")],
    )
    assert only("GC403", found).layers == ("trunk",)
    assert diagnoses("GC412", found) == []
