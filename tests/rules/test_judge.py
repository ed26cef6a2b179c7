"""Verdicts on measurements written by hand."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import (
    Cut,
    Lens,
    Measurement,
    Op,
    Operand,
    Origin,
    ParameterMeasurement,
)
from gradcheck_cli.records.report import Finding, Layer
from gradcheck_cli.records.source import SourceLine
from tests.measurements import LEAF, judged, measurement, module, op, parameter, stats

LINE = SourceLine(file="net.py", line=7, code="x = torch.log(x)")


def chain(slopes: Sequence[float], activation: str = "SigmoidBackward0", **fields: Any) -> Measurement:
    """Layers with weights of gain 1, each under an activation that passes on its slope; the top one is first."""
    ops: list[Op] = [op("MseLossBackward0", 1.0, (1, 0.1), module=-1, sequence=100)]
    parameters: list[ParameterMeasurement] = []
    signal, depth = 0.1, len(slopes)
    for k, slope in enumerate(slopes):
        index, owner = 1 + 3 * k, depth - k
        passed = signal * slope
        below = [(index + 3, passed)] if k + 1 < depth else []
        ops.append(op(activation, signal, (index + 1, passed), module=owner, sequence=99 - 2 * k))
        edges = [*below, (index + 2, passed)]
        ops.append(op("MmBackward0", passed, *edges, module=owner, sequence=98 - 2 * k))
        ops.append(op(LEAF, passed, module=-1, sequence=-1))
        parameters.append(parameter(f"layers.{owner - 1}.weight", op=index + 2, grad=passed, module=owner))
        signal = passed
    modules = [module("", "Net"), *(module(f"layers.{i}") for i in range(depth))]
    return measurement(*ops, parameters=parameters[::-1], modules=modules, **fields)


def verdict(found: Measurement, **choice: Any) -> tuple[tuple[Layer, ...], tuple[Finding, ...]]:
    came = judged(found, **choice)
    return came.layers, came.findings


def codes(found: Measurement, **choice: Any) -> list[tuple[str, str]]:
    return [(f.code, f.cause) for f in verdict(found, **choice)[1]]


def test_healthy() -> None:
    layers, findings = verdict(chain([0.5, 0.5, 0.5], loss=2.0))
    assert findings == ()
    assert [(layer.path, layer.status) for layer in layers] == [(f"layers.{i}", "ok") for i in range(3)]
    assert [layer.grad_norm for layer in layers] == pytest.approx([0.0125, 0.025, 0.05])
    assert [layer.relative_gradient for layer in layers] == pytest.approx([0.0125, 0.025, 0.05])
    assert [layer.elasticity for layer in layers] == pytest.approx([0.00625, 0.0125, 0.025])


# --------------------------------------------------------------------------- not finite


@pytest.mark.parametrize(("fields", "cause"), [({"nan_count": 2}, "nan-input"), ({"inf_count": 1}, "inf-input")])
@pytest.mark.parametrize("where", ["inputs", "targets"])
def test_a_batch_that_is_not_finite_comes_before_all_else(where: str, fields: dict[str, int], cause: str) -> None:
    found = chain([1e-3] * 5, loss=math.nan, **{where: (stats("batch.0", **fields),)})
    assert codes(found) == [("GC101", cause)]


def test_a_parameter_that_is_not_finite() -> None:
    found = chain([0.5, 0.5], loss=math.nan)
    bad = replace(found.parameters[1], weight_nonfinite=3)
    _, (finding,) = verdict(replace(found, parameters=(found.parameters[0], bad)))
    assert (finding.code, finding.cause, finding.layers) == ("GC102", "nan-parameter", ("layers.1",))
    assert finding.message.startswith("`layers.1.weight` holds 3 NaN or Inf among 16 values")


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
    ],
)
def test_the_first_op_that_was_not_finite(name: str, low: float, high: float, cause: str) -> None:
    operand = Operand(name="self", shape=(4, 4), dtype="float32", smallest=low, largest=high)
    origin = Origin(op=name, module=1, source=LINE, produced="nan", count=3, numel=16, operands=(operand,))
    _, (finding,) = verdict(chain([0.5, 0.5], loss=math.nan, origin=origin))
    assert (finding.code, finding.cause, finding.layers) == ("GC103", cause, ("layers.0",))
    assert (finding.op, finding.source) == (name, LINE)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_the_op_whose_gradient_is_not_finite(bad: float) -> None:
    found = measurement(
        op("MeanBackward0", 1.0, (1, 0.5)),
        op("SqrtBackward0", 0.5, (2, bad), module=1, source=0),
        op("MmBackward0", bad, (3, bad), module=1),
        op(LEAF, bad),
        parameters=[parameter("part.weight", op=3, grad=bad, module=1, nan_count=16)],
        modules=[module("", "Net"), module("part")],
        sources=(LINE,),
    )
    _, (finding,) = verdict(found)
    assert (finding.code, finding.cause, finding.layers) == ("GC104", "sqrt-zero", ("part",))
    assert finding.source == LINE


# --------------------------------------------------------------------------- no gradient


def unreached(found: Measurement, index: int, **fields: Any) -> Measurement:
    """The measurement with one parameter that got no gradient."""
    lost = replace(found.parameters[index], op=None, grad_norm=None, grad_max=None, zero_share=None, **fields)
    parameters = [*found.parameters]
    parameters[index] = lost
    return replace(found, parameters=tuple(parameters))


@pytest.mark.parametrize(
    ("name", "cause"),
    [("detach", "graph-cut"), ("no_grad", "graph-cut"), ("argmax", "non-differentiable-op")],
)
def test_a_cut_whose_value_was_used(name: str, cause: str) -> None:
    cut = Cut(op=name, module=1, source=LINE, parameters=(0,), used=True)
    layers, (finding,) = verdict(unreached(chain([0.5, 0.5], cuts=(cut,)), 0))
    assert (finding.code, finding.cause, finding.layers) == ("GC401", cause, ("layers.0",))
    assert finding.source == LINE
    assert [layer.status for layer in layers] == ["GC401", "ok"]


def test_a_cut_into_a_metric_is_a_note() -> None:
    cut = Cut(op="detach", module=1, source=LINE, parameters=(0,), used=False)
    assert codes(unreached(chain([0.5, 0.5], cuts=(cut,)), 0)) == [("GC413", "unused")]


def test_a_layer_that_was_not_called() -> None:
    found = unreached(chain([0.5, 0.5]), 0)
    modules = (found.modules[0], replace(found.modules[1], calls=0), found.modules[2])
    layers, (finding,) = verdict(replace(found, modules=modules))
    assert (finding.code, finding.severity, finding.layers) == ("GC413", Severity.NOTE, ("layers.0",))
    assert layers[0].status == "unused"


def test_a_frozen_layer() -> None:
    layers, (finding,) = verdict(unreached(chain([0.5, 0.5]), 0, requires_grad=False))
    assert (finding.code, finding.severity, finding.layers) == ("GC414", Severity.NOTE, ("layers.0",))
    assert layers[0].status == "frozen"


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
    found = chain([0.5, 0.0, 0.5], activation)
    layers, findings = verdict(found)
    ill = [f for f in findings if f.severity is not Severity.NOTE]
    assert [(f.code, f.cause, f.layers, f.op) for f in ill] == [(code, cause, ("layers.0", "layers.1"), activation)]
    assert [layer.status for layer in layers] == [code, code, "ok"]


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
    _, (finding,) = verdict(found)
    assert (finding.code, finding.severity, finding.layers) == ("GC411", Severity.NOTE, ("branch",))


# --------------------------------------------------------------------------- too small, too large


def test_sigmoids_that_lose_three_decades_each() -> None:
    _, (finding, *others) = verdict(chain([1e-3] * 5))
    assert (finding.code, finding.cause) == ("GC201", "saturating-activation")
    assert {other.cause for other in others} <= {finding.cause}
    assert finding.layers == ("layers.0", "layers.1", "layers.2")
    assert finding.op == "SigmoidBackward0"


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("slopes", [[0.5] * 3, [1e-3] * 5])
def test_the_scale_of_the_loss_does_not_matter(slopes: list[float], scale: float) -> None:
    """Everything below the loss is scaled alike, as `loss * scale` would."""
    plain = chain(slopes)
    ops = [
        o._replace(total=o.total * (scale if i else 1), edges=tuple(e._replace(norm=e.norm * scale) for e in o.edges))
        for i, o in enumerate(plain.ops)
    ]
    parameters = [replace(p, grad_norm=p.grad_norm and p.grad_norm * scale) for p in plain.parameters]
    scaled = replace(plain, loss=plain.loss * scale, ops=tuple(ops), parameters=tuple(parameters))
    assert codes(scaled) == codes(plain)


@pytest.mark.parametrize(("per_sample", "ill"), [(2.3, False), (20.0, False), (476.0, True)])
def test_a_loss_far_above_chance(per_sample: float, ill: bool) -> None:
    lens = Lens(op=0, kind="loss", per_sample=per_sample, length=10)
    found = [code for code, _ in codes(chain([0.5] * 3, loss=per_sample, lenses=(lens,)))]
    assert found == (["GC303"] if ill else [])


def test_targets_on_another_scale() -> None:
    lens = Lens(op=0, kind="loss", output_rms=0.5, target_rms=5e4)
    assert codes(chain([0.5] * 3, loss=2.5e9, lenses=(lens,))) == [("GC303", "target-scale")]


# --------------------------------------------------------------------------- what is shown


def test_notes_stand_last() -> None:
    cut = Cut(op="detach", module=1, source=LINE, parameters=(0,), used=True)
    found = unreached(unreached(chain([0.5] * 3, cuts=(cut,)), 0), 1, requires_grad=False)
    assert [code for code, _ in codes(found)] == ["GC401", "GC414"]


def test_ignoring_a_cause_does_not_bring_up_its_consequences() -> None:
    found = chain([0.5, 0.0, 0.5], "ReluBackward0")
    assert codes(found, ignore=("GC403",)) == []
    layers, _ = verdict(found, ignore=("GC403",))
    assert [layer.status for layer in layers] == ["ok"] * 3


def test_selecting() -> None:
    cut = Cut(op="detach", module=1, source=LINE, parameters=(0,), used=True)
    found = unreached(unreached(chain([0.5] * 3, cuts=(cut,)), 0), 1, requires_grad=False)
    assert codes(found, select=("frozen",)) == [("GC414", "frozen")]
    assert codes(found, select=("GC4",), ignore=("GC414",)) == [("GC401", "graph-cut")]
