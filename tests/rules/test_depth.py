"""Layers whose gradient was lost on the way down, and what took it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.choices import About
from gradcheck_cli.records.enquiry import Enquiry, FunctionTest
from gradcheck_cli.records.measurement import Lens, Measurement
from gradcheck_cli.records.ops import LEAF
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.rules.rule import Diagnosis
from tests.measurements import judged, measurement, module, op, parameter
from tests.rules.chains import BODY, FIRST, HEAD, LINE, chain, codes, deep, diagnoses, ill, only, sending


def test_sigmoids_that_lose_three_decades_each() -> None:
    (finding, *others) = judged(chain([1e-3] * 5)).findings
    assert (finding.code, finding.cause) == ("GC201", "saturating-activation")
    assert {other.cause for other in others} <= {finding.cause}
    assert finding.layers == ("layers.0", "layers.1", "layers.2")
    assert finding.op == "SigmoidBackward0"


TANH = "saturating-activation"
ONE_HOT = Lens(op=FIRST, kind="softmax", saturated=0.9, length=8)


@pytest.mark.parametrize(
    ("steps", "cause"),
    [
        ([("MulBackward0", 1e-6), ("MmBackward0", 1.0)], "residual-scale"),
        ([("DivBackward0", 1e-6), ("MmBackward0", 1.0)], "residual-scale"),
        ([("TanhBackward0", 0.1), ("MmBackward0", 1.0)] * 6, "saturating-activation"),
        ([("ClampBackward1", 1e-6), ("MmBackward0", 1.0)], "saturating-activation"),
        ([("MmBackward0", 0.1)] * 6, "small-init"),
        ([("ReluBackward0", 0.1), ("ConvolutionBackward0", 0.1)] * 3, "small-init"),
        ([("MmBackward0", 0.3)] * 11, "depth"),
        ([("GluBackward0", 1e-6), ("MmBackward0", 1.0)], "gate-closed"),
        ([("SoftmaxBackward0", 1e-6), ("MmBackward0", 1.0)], "unknown"),
        ([("EluBackward0", 1e-6), ("MmBackward0", 1.0)], "saturating-activation"),
        ([("EluBackward0", 0.05), ("MmBackward0", 0.5)] * 4, "depth"),  # no slope is next to 0 by itself
        ([("ExpBackward0", 1e-3)] * 2 + [("MmBackward0", 1.0)], "exp-underflow"),
        ([("LogBackward0", 1e-6), ("MmBackward0", 1.0)], "unknown"),
        ([("NativeLayerNormBackward0", 0.1), ("MmBackward0", 1.0)] * 6, "norm-depth"),
        ([("NativeLayerNormBackward0", 0.01), ("MmBackward0", 100.0), ("TanhBackward0", 0.1)] * 6, TANH),
        ([("NativeLayerNormBackward0", 10.0), ("MmBackward0", 0.01)] * 6, "small-init"),
        ([("MeanBackward1", 1e-3), ("MulBackward0", 1e-2), ("ExpBackward0", 1e-3), ("MmBackward0", 1.0)], "unknown"),
        ([("MulBackward0", 0.1), ("MmBackward0", 1.0)] * 6, "residual-scale"),
        ([("MulBackward0", 0.5), ("MmBackward0", 0.3)] * 9, "depth"),
    ],
)
def test_the_cause_is_what_took_the_decades(steps: list[tuple[str, float]], cause: str) -> None:
    found = only("GC201", deep(*steps))
    assert (found.cause, found.layers) == (cause, ("body",))


def test_a_softmax_takes_the_blame_only_where_it_is_one_hot() -> None:
    steps = ("SoftmaxBackward0", 1e-6), ("MmBackward0", 1.0)
    assert only("GC201", deep(*steps, lenses=(ONE_HOT,))).cause == "softmax-saturation"
    assert only("GC201", deep(*steps, lenses=(replace(ONE_HOT, saturated=0.3),))).cause == "unknown"


@pytest.mark.parametrize("name", ["AddmmBackward0", "BaddbmmBackward0", "AddmvBackward0"])
def test_an_addmm_is_no_scaling(name: str) -> None:
    """Its name begins like that of an addition, whose `alpha` can scale a branch; it is a weight."""
    assert only("GC201", deep((name, 1e-6), ("MmBackward0", 1.0))).cause != "residual-scale"


def test_what_an_addmm_takes_is_taken_by_a_weight() -> None:
    assert only("GC201", deep(("AddmmBackward0", 1e-6), ("MmBackward0", 1.0))).cause == "small-init"


@pytest.mark.parametrize("name", ["SigmoidBackward", "MulBackward", "GluBackward"])
def test_a_custom_function_is_neither_the_activation_nor_the_product_that_it_is_called_after(name: str) -> None:
    found = diagnoses("GC201", deep((name, 1e-6), ("MmBackward0", 1.0)))
    assert {d.cause for d in found} == {"custom-backward"}


def flat(told: FunctionTest | None) -> Diagnosis:
    """A custom Function that takes six decades, and what differences of its forward say of it."""
    found = deep(("MineBackward", 1e-6), ("MmBackward0", 1.0))
    return only("GC201", gather(found, enquiry=Enquiry(functions=(told,) if told else ())))


def test_a_custom_function_whose_backward_agrees_with_its_forward_is_that_flat() -> None:
    found = flat(FunctionTest(op=FIRST, decades=0.1, alike=0.99))
    assert (found.cause, found.op) == ("saturating-activation", FIRST)
    assert found.message.endswith("smaller in Mine in `body`, which is that flat: its backward agrees with its forward")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            FunctionTest(op=FIRST, decades=-6.0, alike=1.0),
            ", which gives 1e-6 times what differences of its forward give",
        ),
        (FunctionTest(op=FIRST, decades=0.0, alike=0.1), " forward give, at a cosine of 0.10"),
        (FunctionTest(op=FIRST, decades=None, alike=0.0), "in the backward of Mine in `body`"),
        (None, "in the backward of Mine in `body`"),
    ],
)
def test_a_custom_function_that_disagrees_or_cannot_be_tested_is_to_blame(
    told: FunctionTest | None, words: str
) -> None:
    found = flat(told)
    assert (found.cause, found.op) == ("custom-backward", FIRST)
    assert found.message.endswith(words)


def cell(kind: str, calls: int) -> Measurement:
    """Eight steps of a module, each through one product and one slope."""
    modules = [module("", "Net"), module("head"), module("rnn", kind, calls=calls)]
    return deep(*[("TanhBackward0", 0.3), ("MmBackward0", 0.5)] * 8, modules=modules)


@pytest.mark.parametrize(
    ("kind", "calls", "cause"),
    [
        ("LSTM", 1, "bptt-decay"),
        ("MyCell", 8, "bptt-decay"),
        ("MyCell", 1, "saturating-activation"),
        ("Linear", 8, "saturating-activation"),
    ],
)
def test_what_a_recurrent_module_takes_is_taken_step_by_step(kind: str, calls: int, cause: str) -> None:
    found = only("GC201", cell(kind, calls))
    assert found.cause == cause
    assert ("of `rnn`" in found.message) is (cause == "bptt-decay")
    assert ("of `rnn`" in found.why) is (cause == "bptt-decay")


def test_the_weight_of_a_term_of_the_loss_is_neither_a_branch_nor_the_weights() -> None:
    """Its layers get little, and no factor on their side is to blame."""
    ops = [
        op("AddBackward0", 1.0, (1, 1.0), (3, 1.0), module=-1, sequence=100),
        op("MmBackward0", 1.0, (2, 0.1), module=HEAD, sequence=99),
        op(LEAF, 0.1, module=-1, sequence=-1),
        op("MulBackward0", 1.0, (4, 1e-6), module=-1, sequence=98),
        op("MmBackward0", 1e-6, (5, 1e-7), module=BODY, sequence=97),
        op(LEAF, 1e-7, module=-1, sequence=-1),
    ]
    parameters = [
        parameter("head.weight", op=2, grad=0.1, module=HEAD),
        parameter("body.weight", op=5, grad=1e-7, module=BODY),
    ]
    modules = [module("", "Net"), module("head"), module("body")]
    found = only("GC201", measurement(*ops, parameters=parameters, modules=modules))
    assert found.cause == "unknown"


# --------------------------------------------------------------------------- gates


def gate(name: str = "MulBackward0") -> Measurement:
    """A product that passes on a millionth, whose other factor is a sigmoid."""
    found = deep((name, 1e-6), ("MmBackward0", 1.0))
    size = len(found.ops)
    gated = sending(found, FIRST, (size, 1e-9))
    return replace(gated, ops=(*gated.ops, op("SigmoidBackward0", 1e-9, (size + 1, 1e-9)), op("MmBackward0", 1e-9)))


def test_a_product_with_a_sigmoid_that_passes_nothing_is_a_closed_gate() -> None:
    found = only("GC201", gate())
    assert (found.cause, found.op) == ("gate-closed", FIRST)
    assert "the gate at mul in `body` is closed and lets 1e-6 of its gradient through" in found.message


def test_a_small_gate_that_itself_learns_holds_back_nothing_for_long() -> None:
    found = deep(("MulBackward0", 1e-6), ("MmBackward0", 1.0))
    size = len(found.ops)
    scale = parameter("scale", op=size, grad=0.1, module=2, shape=(4,), numel=4, weight_norm=1e-6)
    scaled = sending(found, FIRST, (size, 0.1))
    learning = replace(scaled, ops=(*scaled.ops, op(LEAF, 0.1)), parameters=(*found.parameters, scale))
    assert [d.layers for d in diagnoses("GC201", found)] == [("body",)]
    assert diagnoses("GC201", learning) == []


# --------------------------------------------------------------------------- when it is said


@pytest.mark.parametrize(
    ("factor", "loss", "limit", "found"),
    [
        (1e-6, 1.0, 4.0, "found"),
        (1e-3, 1.0, 4.0, "nothing"),
        (1e-6, 1e-6, 4.0, "nothing"),  # the loss depends on it all the same
        (1e-6, 1.0, 7.0, "a suspicion"),  # half of the decades
        (1e-6, 1.0, 13.0, "nothing"),
        (10**-4.5, 1.0, 4.0, "a suspicion"),  # less than a decade beyond them
    ],
)
def test_a_layer_is_slow_by_the_threshold_and_only_where_the_loss_hardly_depends_on_it(
    factor: float, loss: float, limit: float, found: str
) -> None:
    measured = deep(("MulBackward0", factor), ("MmBackward0", 1.0), loss=loss)
    told = diagnoses("GC201", measured, thresholds=Thresholds(slower_decades=limit))
    assert found == ("nothing" if not told else "a suspicion" if told[0].doubt is About.PART else "found")


def test_a_side_branch_that_starts_slowly_is_left_alone() -> None:
    """Query and key layers stand behind others that are well, and catch up."""
    steps = [("MmBackward0", 0.1)] * 6
    found = deep(*steps)
    early = replace(found, ops=tuple(o._replace(sequence=1) if i == 1 else o for i, o in enumerate(found.ops)))
    assert only("GC201", found).cause == "small-init"
    assert diagnoses("GC201", early) == []


def test_a_slow_layer_is_told_with_its_numbers_and_its_line() -> None:
    (finding,) = [f for f in judged(deep(("MulBackward0", 1e-6), ("MmBackward0", 1.0))).findings if f.code == "GC201"]
    assert finding.message.startswith("`body` learns up to about ")
    assert finding.message.endswith("mul in `body` scales its branch by about 1e-6")
    assert finding.evidence["decades"] == pytest.approx(-7)
    assert finding.evidence["decades_other"] == pytest.approx(-6)
    assert (finding.op, finding.source) == ("MulBackward0", LINE)


# --------------------------------------------------------------------------- slopes of exactly 0


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("SigmoidBackward0", "saturating-activation"),
        ("ExpBackward0", "exp-underflow"),
        ("SoftmaxBackward0", "softmax-saturation"),
        ("LogSoftmaxBackward0", "saturated-loss"),
    ],
)
def test_a_slope_of_exactly_zero_says_its_cause_by_what_it_is(name: str, cause: str) -> None:
    found = only("GC201", chain([0.5, 0.0, 0.5], name))
    assert (found.cause, found.op, found.layers) == (cause, 4, ("layers.0", "layers.1"))


def test_the_last_sigmoid_is_an_output_that_is_saturated() -> None:
    assert only("GC201", chain([0.0, 0.5])).cause == "saturated-output"


def test_a_sigmoid_that_multiplies_and_is_flat_is_a_closed_gate() -> None:
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), module=-1),
        op("MulBackward0", 0.5, (2, 0.5), (5, 0.5)),
        op("SigmoidBackward0", 0.5, (3, 0.0)),
        op("MmBackward0", 0.0, (4, 0.0), module=1),
        op(LEAF, 0.0),
        op("MmBackward0", 0.5, (6, 0.5), module=2),
        op(LEAF, 0.5),
        parameters=[
            parameter("gate.weight", op=4, grad=0.0, module=1),
            parameter("value.weight", op=6, grad=0.5, module=2),
        ],
        modules=[module("", "Net"), module("gate"), module("value")],
    )
    assert ill(found) == [("GC201", "gate-closed")]


def test_an_expand_that_gets_a_gradient_and_sends_none_is_not_saturated() -> None:
    found = chain([0.5, 0.0, 0.5], "ExpandBackward0")
    assert diagnoses("GC201", found) == []
    assert codes(found) == [("GC412", "masked")]
