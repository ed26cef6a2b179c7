"""What made gradients or outputs too large, and how that is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradcheck_cli.evidence import Evidence, gather
from gradcheck_cli.records.enquiry import Enquiry, FunctionTest
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.rules.growth import growth_cause, growth_in_words, growth_place, growth_shares, largest_gradient
from tests.measurements import LEAF, measurement, module, op, parameter, stats
from tests.rules.chains import BODY, FIRST, HEAD, LINE, deep, sending


def grown(*steps: tuple[str, float], inputs: float = 1.0, outputs: tuple[float, float] = (1.0, 1.0)) -> Evidence:
    """A body under these ops, that reads inputs and, like the head, puts out something of this RMS."""
    modules = [module("", "Net"), module("head", output_rms=outputs[1]), module("body", output_rms=outputs[0])]
    return gather(deep(*steps, modules=modules, inputs=(stats("x", rms=inputs),)))


@pytest.mark.parametrize(
    ("steps", "cause"),
    [
        ([("DivBackward0", 1e3)], "small-denominator"),
        ([("DivBackward0", 5.0)], "unknown"),  # not a decade
        ([("DivBackward0", 1e3), ("TanhBackward0", 1.0), ("AddmmBackward0", 1e5)], "large-init"),
        ([("DivBackward0", 1e5), ("TanhBackward0", 1.0), ("AddmmBackward0", 1e3)], "small-denominator"),
        ([("ReciprocalBackward0", 1e3)], "small-denominator"),
        ([("SumBackward1", 100.0)], "sum-aggregation"),
        ([("IndexSelectBackward0", 100.0)], "sum-aggregation"),
        ([("AddmmBackward0", 1e3)], "large-init"),
        ([("DivBackward", 1e3)], "custom-backward"),
        ([("MulBackward0", 1e3)], "large-init"),  # a constant beside a weight
        ([("ExpBackward0", 1e3)], "exp-overflow"),
        ([("NativeLayerNormBackward0", 10.0)] * 3, "norm-depth"),
        ([("NativeLayerNormBackward0", 1e-3), ("AddmmBackward0", 1e3), ("DivBackward0", 20.0)], "small-denominator"),
        ([("DivBackward0", 1e2), ("MulBackward0", 1e2), ("SumBackward0", 1e2)], "unknown"),
    ],
)
def test_the_cause_is_what_it_grew_in(steps: list[tuple[str, float]], cause: str) -> None:
    assert growth_cause(grown(*steps, ("MmBackward0", 1.0))) == cause


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_what_scales_the_loss_of_a_single_layer_is_no_growth(scale: float) -> None:
    found = measurement(
        op("MulBackward0", 1.0, (1, scale), module=-1),
        op("MseLossBackward0", scale, (2, scale), module=-1),
        op("MmBackward0", scale, (3, 1e3 * scale)),
        op(LEAF, 1e3 * scale),
        parameters=[parameter("weight", op=3, grad=1e3 * scale)],
    )
    assert growth_cause(gather(found)) == "large-init"


def test_a_product_with_a_parameter_is_a_weight_and_sums_over_no_neighbours() -> None:
    found = deep(("BmmBackward0", 100.0), ("TanhBackward0", 1.0))
    leaf = len(found.ops)
    own = parameter("other.weight", op=leaf, grad=1.0, module=HEAD)
    weighted = sending(
        replace(found, ops=(*found.ops, op(LEAF, 1.0)), parameters=(*found.parameters, own)), 3, (leaf, 1)
    )
    assert growth_cause(gather(found)) == "sum-aggregation"
    assert growth_cause(gather(weighted)) == "large-init"


@pytest.mark.parametrize(
    ("inputs", "outputs", "cause"),
    [
        (1e3, 1e3, "input-scale"),
        (1e3, 1.0, "unknown"),  # a normalisation makes the input's scale harmless
        (20.0, 20.0, "unknown"),
        (1.0, 20.0, "large-init"),  # the first layer makes it twenty times larger
    ],
)
def test_large_inputs_are_the_cause_where_the_first_layer_hands_them_on(
    inputs: float, outputs: float, cause: str
) -> None:
    evidence = grown(("MmBackward0", 1.0), inputs=inputs, outputs=(outputs, outputs))
    assert growth_cause(evidence) == cause


def stream(branches: int, gain: float) -> Measurement:
    """A residual stream: each branch adds to the gradient, which grows by `gain` where it merges."""
    ops, total = [op("MseLossBackward0", 1.0, (1, 1.0), module=-1)], 1.0
    for k in range(branches):
        split = 1 + 2 * k
        ops.append(op("AddBackward0", total, (split + 1, total), (split + 2, total)))
        ops.append(op("TanhBackward0", total, (split + 2, total * 0.9)))
        total *= gain
    ops += [op("MmBackward0", total, (len(ops) + 1, total)), op(LEAF, total)]
    return measurement(*ops, parameters=[parameter("weight", op=len(ops) - 1, grad=total)], modules=[module("stem")])


@pytest.mark.parametrize(
    ("branches", "gain", "cause"),
    [(10, 1.5, "residual-growth"), (4, 1.5, "unknown"), (2, 10.0, "unknown"), (3, 10.0, "residual-growth")],
)
def test_branches_that_add_up(branches: int, gain: float, cause: str) -> None:
    assert growth_cause(gather(stream(branches, gain))) == cause


def test_without_any_layer_nothing_is_to_blame() -> None:
    evidence = gather(measurement(loss=7.0))
    assert growth_cause(evidence) == "unknown"
    assert growth_in_words(evidence, "unknown") == "no single kind of factor wins half of the decades: the loss is 7"
    assert growth_shares(evidence) == ()
    assert largest_gradient(evidence) is None
    assert growth_place(evidence, "large-init", None) is None


@pytest.mark.parametrize(("inside", "cause"), [(3.0, "residual-growth"), (30.0, "large-init")])
def test_a_branch_that_by_itself_adds_much_is_too_large_and_else_there_are_too_many(inside: float, cause: str) -> None:
    """Blocks x + f(x), where the way through f is the strongest."""
    ops, total = [op("MseLossBackward0", 1.0, (1, 1.0), module=-1, sequence=99)], 1.0
    for k in range(5):
        start = 1 + 3 * k
        ops.append(op("AddBackward0", total, (start + 1, total), (start + 3, total)))
        ops.append(op("AddmmBackward0", total, (start + 2, total * inside)))
        ops.append(op("ReluBackward0", total * inside, (start + 3, total * inside)))
        total *= inside + 1
    ops += [op("MmBackward0", total, (len(ops) + 1, total)), op(LEAF, total)]
    parameters = [parameter("weight", op=len(ops) - 1, grad=total)]
    assert growth_cause(gather(measurement(*ops, parameters=parameters, modules=[module("stem")]))) == cause


def test_a_custom_function_that_really_is_that_steep_is_not_to_blame() -> None:
    found = deep(("MineBackward", 1e3), ("MmBackward0", 1.0))
    told = FunctionTest(op=FIRST, decades=0.0, alike=1.0)
    assert growth_cause(gather(found)) == "custom-backward"
    assert growth_cause(gather(found, enquiry=Enquiry(functions=(told,)))) == "unknown"


def test_the_shares_of_a_growth_add_up() -> None:
    shares = growth_shares(grown(("DivBackward0", 1e3), ("MmBackward0", 1.0)))
    assert [(share.kind, share.decades) for share in shares] == [
        ("div", pytest.approx(3)),
        ("shared", pytest.approx(-1)),
    ]


# --------------------------------------------------------------------------- words and places


def test_a_division_is_told_with_what_it_divides_by_and_where() -> None:
    evidence = grown(("DivBackward0", 1e3), ("MmBackward0", 1.0))
    assert growth_in_words(evidence, "small-denominator") == (
        "a denominator is too small: div in `body` makes the gradient about 1,000 times larger, as dividing by 0.001 "
        "does"
    )
    assert growth_place(evidence, "small-denominator", BODY) == LINE == evidence.graph.source_of(FIRST)


def test_inputs_are_told_with_their_scale() -> None:
    words = growth_in_words(grown(("MmBackward0", 1.0), inputs=400.0), "input-scale")
    assert words == "the inputs are too large: their RMS is 400, and layers are initialised for about 1"


def test_outputs_that_grow_are_told_from_the_first_to_the_last_layer() -> None:
    modules = [module("", "Net"), module("head", output_rms=1.0), module("body", output_rms=5e3)]
    words = growth_in_words(gather(deep(("MmBackward0", 1.0), modules=modules)), "large-init")
    assert words.startswith("the weights are too large: what the layers put out gets about 5,000 times larger")
    assert words.endswith("from an RMS of 1 to 5e3") or words.endswith("from an RMS of 1 to 5,000")


def test_gradients_that_grow_are_told_by_the_account_of_the_largest() -> None:
    evidence = grown(("MmBackward0", 1e4))
    assert largest_gradient(evidence) == BODY
    words = growth_in_words(evidence, "large-init")
    assert "the gradient gains 3.0 decades (powers of ten) between the loss and `body`" in words
