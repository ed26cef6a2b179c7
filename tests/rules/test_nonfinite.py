"""Values that are not finite: in the batch, in the weights, made on the way forward or on the way back."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Element, Measurement, NonfiniteInput, Operand, Origin
from gradcheck_cli.records.spec import Samples
from tests.measurements import LEAF, judged, measurement, module, op, parameter, stats
from tests.rules.chains import LINE, chain, codes, diagnoses, only


def operand(low: float, high: float, **fields: Any) -> Operand:
    return Operand(**({"name": "self", "shape": (4, 4), "dtype": "float32", "smallest": low, "largest": high} | fields))


def origin(name: str, *operands: Operand, **fields: Any) -> Origin:
    plain = {"module": 1, "source": LINE, "produced": "nan", "count": 3, "numel": 16, "operands": operands}
    return Origin(op=name, **(plain | fields))


# --------------------------------------------------------------------------- the batch


@pytest.mark.parametrize(("fields", "cause"), [({"nan_count": 2}, "nan-input"), ({"inf_count": 1}, "inf-input")])
@pytest.mark.parametrize("where", ["inputs", "targets"])
def test_a_batch_that_is_not_finite_comes_before_all_else(where: str, fields: dict[str, int], cause: str) -> None:
    found = chain([1e-3] * 5, loss=math.nan, **{where: (stats("batch.0", **fields),)})
    assert codes(found) == [("GC101", cause)]


def test_what_the_batch_holds_is_told_with_its_place() -> None:
    bad = stats("batch.x", nan_count=2, inf_count=1, first_bad=(3, 1))
    found = only("GC101", chain([0.5], inputs=(stats("ok"), bad)))
    assert found.message == "`batch.x` holds 2 NaN and 1 Inf among 16 values, the first at [3, 1]"
    assert found.numbers == {"nan": 2, "inf": 1, "values": 16}


def test_an_infinite_value_that_harms_nothing_is_left_alone() -> None:
    mask = stats("mask", inf_count=3)
    assert codes(chain([0.5], inputs=(mask,))) == []
    poisoned = chain([0.5], inputs=(mask,))
    harmed = replace(poisoned, parameters=(replace(poisoned.parameters[0], nan_count=1),))
    assert codes(harmed) == [("GC101", "inf-input")]


# --------------------------------------------------------------------------- weights and buffers


def test_a_parameter_that_is_not_finite() -> None:
    found = chain([0.5, 0.5], loss=math.nan)
    bad = replace(found.parameters[1], weight_nonfinite=3)
    (finding,) = judged(replace(found, parameters=(found.parameters[0], bad))).findings
    assert (finding.code, finding.cause, finding.layers) == ("GC102", "nan-parameter", ("layers.1",))
    assert finding.message == "`layers.1.weight` holds 3 NaN or Inf among 16 values"


def test_several_are_counted_and_one_that_nothing_reads_is_left_alone() -> None:
    found = chain([0.5, 0.5, 0.5])
    bad = [replace(p, weight_nonfinite=3) for p in found.parameters]
    told = only("GC102", replace(found, parameters=tuple(bad)))
    assert told.message.endswith("among 16 values, and so do 2 more")
    assert told.numbers == {"parameters": 3, "values": 9}
    idle = [replace(bad[0], op=None), *found.parameters[1:]]
    assert diagnoses("GC102", replace(found, parameters=tuple(idle))) == []


@pytest.mark.parametrize(("produced", "cause"), [("nan", "nan-parameter"), ("inf", "inf-buffer")])
def test_a_buffer_that_is_not_finite(produced: str, cause: str) -> None:
    entry = NonfiniteInput(kind="buffer", name="layers.0.running_var", produced=produced)
    found = only("GC102", chain([0.5], loss=math.nan, entry=entry))
    assert (found.cause, found.layers) == (cause, ("layers.0",))
    assert found.message.startswith("the buffer `layers.0.running_var` holds ")


def test_nan_in_the_batch_that_harms_nothing_is_a_note() -> None:
    (found,) = diagnoses("GC101", replace(chain([0.5]), inputs=(stats("batch.0", nan_count=2),)))
    assert found.severity is Severity.NOTE
    assert "none of it reaches" in found.why


def test_nan_in_the_batch_takes_no_blame_for_an_op() -> None:
    harmed = replace(
        chain([0.5], loss=math.nan), inputs=(stats("batch.0", nan_count=2),), origin=origin("log", operand(0.0, 1.0))
    )
    assert [d.severity for d in diagnoses("GC101", harmed)] == [Severity.NOTE]
    assert ("GC103", "log-zero") in codes(harmed)


# --------------------------------------------------------------------------- forward


@pytest.mark.parametrize(
    ("name", "low", "high", "cause"),
    [
        ("log", 0.0, 1.0, "log-zero"),
        ("log", -1.0, 1.0, "log-negative"),
        ("sqrt", -1.0, 1.0, "log-negative"),
        ("exp", 0.0, 100.0, "exp-overflow"),
        ("div", 0.0, 1.0, "zero-div-zero"),
        ("softmax", -math.inf, 1.0, "masked-softmax-row"),
        ("acos", -2.0, 2.0, "acos-boundary"),
        ("pow", -1.0, 1.0, "pow-domain"),
        ("std", 1.0, 1.0, "zero-variance"),
        ("logaddexp", -math.inf, -math.inf, "logsumexp-neginf"),  # it begins like a logarithm and is none
    ],
)
def test_the_first_op_that_was_not_finite(name: str, low: float, high: float, cause: str) -> None:
    found = chain([0.5, 0.5], loss=math.nan, origin=origin(name, operand(low, high)))
    (finding,) = judged(found).findings
    assert (finding.code, finding.cause, finding.layers) == ("GC103", cause, ("layers.0",))
    assert (finding.op, finding.source) == (name, LINE)


def test_it_is_told_with_how_much_it_put_out_and_what_went_in() -> None:
    at = (Element((2, 1), 0.0),)
    made = origin("log", operand(0.0, 1.0, elements=at), produced="inf")
    found = only("GC103", chain([0.5], loss=math.inf, origin=made))
    assert found.message == "the loss is Inf: log puts out Inf at 3 of 16 elements, and is the first op to do so"
    assert found.why == (
        "a logarithm is -Inf at 0, and its slope Inf: its input is 0 at [2, 1]; overall from 0 to 1 (4x4 float32)"
    )
    assert (found.numbers["bad_elements"], found.numbers["elements"]) == (3, 16)
    assert (found.numbers["smallest_input"], found.numbers["largest_input"]) == (0.0, 1.0)


def test_a_loss_that_no_single_op_made_infinite_is_told_all_the_same() -> None:
    found = only("GC103", chain([0.5], loss=math.inf))
    assert (found.message, found.layers, found.op) == ("the loss is Inf", (), None)


def test_an_op_outside_the_model_names_no_layer() -> None:
    assert only("GC103", chain([0.5], loss=math.nan, origin=origin("log", operand(0, 1), module=-1))).layers == ()


# --------------------------------------------------------------------------- backward


def poisoned(bad: float, name: str = "SqrtBackward0", **fields: Any) -> Measurement:
    """A gradient of 0.5 goes into an op, and one that is not finite comes out."""
    return measurement(
        op("MeanBackward0", 1.0, (1, 0.5)),
        op(name, 0.5, (2, bad), module=1, source=0),
        op("MmBackward0", bad, (3, bad), module=1),
        op(LEAF, bad),
        parameters=[parameter("part.weight", op=3, grad=bad, module=1, nan_count=16)],
        modules=[module("", "Net"), module("part")],
        sources=(LINE,),
        **fields,
    )


@pytest.mark.parametrize(("bad", "told"), [(math.nan, "NaN"), (math.inf, "Inf")])
def test_the_op_whose_gradient_is_not_finite(bad: float, told: str) -> None:
    (finding,) = judged(poisoned(bad)).findings
    assert (finding.code, finding.cause, finding.layers) == ("GC104", "sqrt-zero", ("part",))
    assert finding.source == LINE
    assert finding.message == f"the gradient of sqrt is {told}, which poisons the gradient of `part`"
    assert finding.why == f"a gradient of norm 0.5 went in and {told} came out"


@pytest.mark.parametrize("name", ["SqrtBackward", "LogBackward", "MineBackward"])
def test_a_custom_backward_is_to_blame_for_what_it_sends_whatever_its_name(name: str) -> None:
    assert codes(poisoned(math.nan, name)) == [("GC104", "custom-backward")]


def test_a_gradient_that_is_not_finite_and_reaches_no_parameter_is_a_warning() -> None:
    found = replace(poisoned(math.nan), parameters=(parameter("part.weight", op=None, grad=0.5, module=1),))
    told = only("GC104", found)
    assert (told.severity, told.layers) == (Severity.WARNING, ())
    assert told.message.endswith("but reaches no parameter")


def test_gradients_that_no_single_op_made_infinite() -> None:
    whole = [parameter(f"{k}.weight", op=None, grad=math.nan, nan_count=1, module=k) for k in (0, 1)]
    found = only("GC104", measurement(op("MmBackward0", 1.0), parameters=whole, modules=[module("0"), module("1")]))
    assert (found.cause, found.message) == ("unknown", "the gradient of `0` and `1` is not finite")


def test_the_values_that_an_op_had_saved_are_told() -> None:
    saved = origin("sqrt", operand(0.0, 2.0, name="result"), node=1)
    found = only("GC104", poisoned(math.inf, origin=saved))
    assert found.why == "a root or a norm has no finite slope at 0: its result is from 0 to 2 (4x4 float32)"
    assert found.message.startswith("the gradient of sqrt is NaN at 3 of 16 elements")


# --------------------------------------------------------------------------- hidden


@pytest.mark.parametrize(
    ("name", "found"),
    [("div", True), ("exp", True), ("logaddexp", True), ("log", False), ("masked_fill", False), ("where", False)],
)
def test_what_is_not_finite_and_shows_nowhere_is_a_warning_unless_it_was_written_as_a_mask(
    name: str, found: bool
) -> None:
    told = judged(chain([0.5, 0.5], origin=origin(name, operand(0.0, 1.0)))).findings
    assert [(f.code, f.severity, f.layers) for f in told] == [("GC105", Severity.WARNING, ("layers.0",))] * found


def test_where_the_loss_is_infinite_nothing_else_is_judged() -> None:
    found = chain([1e-3] * 5, loss=math.nan, origin=origin("log", operand(0.0, 1.0)))
    assert [code for code, _ in codes(found)] == ["GC103"]


# --------------------------------------------------------------------------- how it is told


def test_an_exception_is_told_after_the_op() -> None:
    found = only(
        "GC103", chain([0.5], loss=math.nan, origin=origin("log", operand(-1.0, 1.0)), stopped="ValueError: x")
    )
    assert found.message == "log puts out NaN at 3 of 16 elements, and then the code stopped with ValueError: x"


def test_a_value_that_was_there_before_is_told_with_where_it_came_in() -> None:
    entry = NonfiniteInput(kind="batch", name="batch.0", produced="nan", origin=origin("sub", operand(0.0, 1.0)))
    found = only("GC101", chain([0.5], loss=math.nan, inputs=(stats("batch.0", nan_count=1),), entry=entry))
    assert (found.op, found.source) == ("sub", LINE)
    assert "sub takes it in and puts out NaN" in found.why


def spoiled(**fields: Any) -> Measurement:
    """A chain in whose second op a gradient stops being finite."""
    found = chain([0.5, 0.5])
    ops = list(found.ops)
    ops[1] = ops[1]._replace(edges=(ops[1].edges[0]._replace(norm=math.nan), *ops[1].edges[1:]))
    return replace(found, ops=tuple(ops), parameters=tuple(replace(p, nan_count=4) for p in found.parameters), **fields)


def test_what_the_forward_pass_made_and_dropped_is_told_with_the_op_that_met_it() -> None:
    found = only("GC104", spoiled(origin=origin("log", operand(-1.0, 1.0))))
    assert (found.op, found.cause, found.source) == ("log", "log-negative", LINE)
    assert found.message.startswith("log puts out NaN at 3 of 16 elements, which the loss does not show; ")
    assert found.layers == ("layers.0", "layers.1")


def test_an_op_inside_autograd_grad_is_told_by_its_name() -> None:
    inside = origin("sqrt", operand(0.0, 1.0), node=1, derived=True)
    assert only("GC104", spoiled(origin=inside)).op == "sqrt"
    forward = only("GC103", chain([0.5], loss=math.nan, origin=replace(inside, node=-1)))
    assert "the gradient of sqrt, taken by autograd.grad, is NaN" in forward.message


def test_a_metric_beside_the_loss_is_a_note() -> None:
    made = origin("div", operand(0.0, 0.0, name="other"))
    found = only("GC105", chain([0.5], origin=replace(made, idle=True)))
    assert found.severity is Severity.NOTE
    assert found.message.endswith("and nothing of the loss is made from it")


def test_where_a_sample_stands_in_the_data_is_told() -> None:
    held = replace(stats("batch.0", shape=(4, 2)), nan_count=1, first_bad=(3, 1))
    samples = Samples(kind="line", holder="d.csv", first=2, columns=("size", "alcohol"))
    found = only("GC101", chain([0.5], loss=math.nan, inputs=(held,), samples=samples))
    assert found.message.endswith("the first at [3, 1] (line 5 of d.csv, column `alcohol`)")
    low = replace(operand(0.0, 1.0), elements=(Element(at=(3, 1), value=0.0),), shape=(4, 2))
    samples = Samples(kind="item", holder="`loader` in m.py", first=32)
    given = (stats("batch.0", shape=(4, 2)),)
    made = chain([0.5], loss=math.inf, inputs=given, origin=origin("log", low), samples=samples)
    assert only("GC103", made).message.endswith("sample 3 of the batch (item 35 of `loader` in m.py)")


def test_an_eps_that_half_rounds_to_nothing_is_told() -> None:
    def told(code: str) -> str:
        low = operand(0.0, 0.0, name="other", dtype="float16")
        made = origin("div", low, source=replace(LINE, code=code))
        return only("GC103", chain([0.5], loss=math.nan, origin=made)).why

    assert told("y = x / (x.norm() + 1e-8)").endswith("; 1e-8 is 0 in float16, whose smallest number is 6e-8")
    assert "; 1e-12 is 0 in float16" in told("y = F.normalize(x, dim=-1)")
    assert "is 0 in" not in told("y = x / (x.norm() + 1e-6)") + told("y = F.normalize(x, eps=1e-4)")


def test_masks_that_add_up_to_minus_infinity_are_told_as_such() -> None:
    masks = [
        operand(-3.39e38, 0.0, name=name, dtype="bfloat16", elements=(Element(at=(0, 1), value=-3.39e38),))
        for name in ("self", "other")
    ]
    found = only("GC103", chain([0.5], loss=math.nan, origin=origin("add", *masks, produced="inf")))
    assert found.cause == "masked-softmax-row"


def test_a_product_that_overflows_backward_in_half_is_no_matter_of_the_weights() -> None:
    halves = [operand(-1.0, 1.0, name=name, dtype="float16") for name in ("mat1", "mat2")]
    saved = origin("addmm", *halves, produced="inf", node=1)
    assert only("GC104", poisoned(math.inf, "AddmmBackward0", origin=saved)).cause == "fp16-overflow"
