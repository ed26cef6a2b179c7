"""A softmax or a normalisation that lets nothing through."""

from __future__ import annotations

from typing import Any

import pytest

from gradcheck_cli.records.measurement import Lens, Measurement
from tests.measurements import LEAF, measurement, module, op, parameter
from tests.rules.chains import diagnoses, ill, only

# --------------------------------------------------------------------------- one-hot rows


def attention(passed: float, **lens: Any) -> Measurement:
    """Scores under a softmax that gets a gradient of 0.5 and passes on this share of it."""
    return measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), module=-1),
        op("BmmBackward0", 0.5, (2, 0.5), module=1),
        op("SoftmaxBackward0", 0.5, (3, 0.5 * passed), module=1),
        op("MmBackward0", 0.5 * passed, (4, 0.5 * passed), module=2),
        op(LEAF, 0.5 * passed),
        parameters=[parameter("query.weight", op=4, grad=0.5 * passed, module=2)],
        modules=[module("", "Net"), module("attention"), module("query")],
        lenses=(Lens(**({"op": 2, "kind": "softmax", "saturated": 0.9, "length": 8} | lens)),),
    )


def test_a_softmax_that_is_one_hot_and_passes_nothing() -> None:
    found = only("GC204", attention(1e-7))
    assert (found.cause, found.layers, found.op) == ("softmax-saturation", ("attention",), 2)
    assert found.numbers == {"saturated_share": 0.9, "passed": pytest.approx(1e-7)}
    assert found.why == "1e-7 of a gradient of norm 0.5 reaches its scores, which are too far apart"
    assert only("GC204", attention(0.0)).why.startswith("nothing of a gradient")


@pytest.mark.parametrize(
    "found",
    [
        attention(1e-3),  # it still learns
        attention(1e-7, saturated=0.4),
        attention(1e-7, length=1),  # another rule's
        attention(1e-7, kind="activation"),
    ],
    ids=["learns", "spread", "one-element", "activation"],
)
def test_any_other_softmax_is_left_alone(found: Measurement) -> None:
    assert diagnoses("GC204", found) == []


# --------------------------------------------------------------------------- twice


def twice(*names: str) -> Measurement:
    """A loss over these ops, each of which passes on a tenth."""
    ops = [op("NllLossBackward0", 1.0, (1, 1.0), module=-1)]
    ops += [op(name, 0.1**k, (k + 2, 0.1 ** (k + 1))) for k, name in enumerate(names)]
    return measurement(*ops, op("AddmmBackward0", 0.1 ** len(names)))


@pytest.mark.parametrize(
    ("names", "inner"),
    [
        (("LogSoftmaxBackward0", "SoftmaxBackward0"), "softmax"),
        (("LogSoftmaxBackward0", "ViewBackward0", "TransposeBackward0", "SoftmaxBackward0"), "softmax"),
        (("LogSoftmaxBackward0", "SigmoidBackward0"), "sigmoid"),
        (("BinaryCrossEntropyWithLogitsBackward0", "SigmoidBackward0"), "sigmoid"),
        (("BinaryCrossEntropyWithLogitsBackward0", "SqueezeBackward1", "SigmoidBackward0"), "sigmoid"),
    ],
)
def test_probabilities_where_the_loss_takes_logits(names: tuple[str, ...], inner: str) -> None:
    found = only("GC205", twice(*names))
    assert (found.cause, found.op) == (f"double-{inner}", len(names))
    assert f"to the output of a {inner}" in found.message
    assert found.numbers == {"passed": pytest.approx(0.1)}


@pytest.mark.parametrize(
    "names",
    [
        ("LogSoftmaxBackward0", "AddmmBackward0", "SoftmaxBackward0"),
        ("LogSoftmaxBackward0", "MulBackward0", "SigmoidBackward0"),  # a scale
        ("BinaryCrossEntropyBackward0", "SigmoidBackward0"),
        ("LogSoftmaxBackward0", "SoftmaxBackward"),  # a custom Function
        ("LogSoftmaxBackward", "SoftmaxBackward0"),
    ],
)
def test_any_other_pair_is_no_mistake(names: tuple[str, ...]) -> None:
    assert diagnoses("GC205", twice(*names)) == []


# --------------------------------------------------------------------------- over one element


def single(name: str, kind: str, passed: float = 0.0, *, rows: int = 1, above: str = "MseLossBackward0", **lens: Any):
    """A layer with `rows` units under a softmax or a normalisation over one element."""
    return measurement(
        op(above, 1.0, (1, 0.5), module=0),
        op(name, 0.5, (2, 0.5 * passed), module=0),
        op("AddmmBackward0", 0.5 * passed, (3, 0.5 * passed), module=1),
        op(LEAF, 0.5 * passed),
        parameters=[parameter("net.weight", op=3, grad=0.5 * passed, module=1, shape=(rows, 4))],
        modules=[module("", "Net"), module("net")],
        lenses=(Lens(op=1, kind=kind, **({"length": 1} | lens)),),
    )


@pytest.mark.parametrize(
    ("name", "kind", "cause"),
    [
        ("SoftmaxBackward0", "softmax", "single-element-softmax"),
        ("NativeLayerNormBackward0", "normalization", "single-element-norm"),
    ],
)
@pytest.mark.parametrize("passed", [0.0, 1e-6])
def test_nothing_below_a_constant_can_learn(name: str, kind: str, cause: str, passed: float) -> None:
    found = only("GC404", single(name, kind, passed))
    assert (found.cause, found.layers, found.op) == (cause, ("net",), 1)
    left = "only rounding leaves it, 1e-6 of that" if passed else "nothing leaves it"
    assert found.why.startswith("a gradient of norm 0.5 arrives at") and found.why.endswith(left)


@pytest.mark.parametrize(
    "found",
    [
        single("NativeLayerNormBackward0", "normalization", 0.1),  # something does pass
        single("NativeLayerNormBackward0", "normalization", length=2),
        single("LogSoftmaxBackward0", "loss"),
        single("SoftmaxBackward0", "softmax", rows=4, above="BmmBackward0"),  # attention over a single key
    ],
    ids=["passes", "two-elements", "loss", "one-key"],
)
def test_any_other_is_no_constant(found: Measurement) -> None:
    assert diagnoses("GC404", found) == []


def test_data_under_a_norm_of_one_are_lost_though_no_matrix_lies_below() -> None:
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), module=0),
        op("NativeLayerNormBackward0", 0.5, (2, 1e-6), module=1),
        op(LEAF, 1e-6),
        parameters=[parameter("scale.weight", op=2, grad=1e-6, module=1, shape=(1,))],
        modules=[module("", "Net"), module("scale", "LayerNorm")],
        lenses=(Lens(op=1, kind="normalization", length=1),),
    )
    told = only("GC404", found)
    assert (told.severity, told.cause) == (None, "single-element-norm")
    assert told.message.endswith("so the data that go into `scale` are lost")


def test_attention_over_one_unit_runs_over_the_wrong_dimension() -> None:
    found = single("SoftmaxBackward0", "softmax", rows=1, above="BmmBackward0")
    assert only("GC404", found).cause == "single-element-softmax"


def test_a_constant_that_turns_a_rectifier_off_gets_no_gradient_itself() -> None:
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), module=-1),
        op("ReluBackward0", 0.5, (2, 0.0)),
        op("NativeLayerNormBackward0", 0.0, (3, 0.0)),
        op("AddmmBackward0", 0.0, (4, 0.0), module=1),
        op(LEAF, 0.0),
        parameters=[parameter("net.weight", op=4, grad=0.0, module=1)],
        modules=[module("", "Net"), module("net")],
        lenses=(Lens(op=2, kind="normalization", length=1),),
    )
    told = only("GC404", found)
    assert told.why == "the constant that layer_norm puts out turns the rectifier after it off"
    assert ill(found)[0] == ("GC404", "single-element-norm")
