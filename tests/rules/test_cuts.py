"""Layers that no gradient came back to: cut off, behind a backward that returns None, unused or frozen."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Cut, Measurement
from gradcheck_cli.records.source import SourceLine
from tests.measurements import LEAF, judged, measurement, module, op, parameter
from tests.rules.chains import LINE, chain, codes, only, unreached


def cut(name: str, *parameters: int, line: int = 7, used: bool = True) -> Cut:
    return Cut(op=name, module=1, source=SourceLine(file="net.py", line=line), parameters=parameters, used=used)


@pytest.mark.parametrize(
    ("name", "cause", "told"),
    [
        ("detach", "graph-cut", "`detach()`"),
        ("data", "graph-cut", "`.data`"),
        ("numpy", "graph-cut", "`.numpy()`"),
        ("no_grad", "graph-cut", "`no_grad()`"),
        ("argmax", "non-differentiable-op", "`argmax()`"),
        ("__gt_", "non-differentiable-op", "`gt()`"),
    ],
)
def test_a_cut_whose_value_was_used(name: str, cause: str, told: str) -> None:
    found = judged(unreached(chain([0.5, 0.5], cuts=(cut(name, 0),)), 0))
    (finding,) = found.findings
    assert (finding.code, finding.cause, finding.layers) == ("GC401", cause, ("layers.0",))
    assert finding.message == f"`layers.0` cannot learn: {told} cuts it off from the loss"
    assert finding.source is not None and finding.source.line == LINE.line
    assert [layer.status for layer in found.layers] == ["GC401", "ok"]


def test_each_of_several_cuts_is_told() -> None:
    cuts = (cut("detach", 0, line=1), cut("argmax", 1, line=2), cut("detach", 2, line=3))
    found = chain([0.5] * 4, cuts=cuts)
    for index in range(3):
        found = unreached(found, index)
    told = [(f.code, f.cause, f.layers, f.source and f.source.line) for f in judged(found).findings]
    assert told == [
        ("GC401", "graph-cut", ("layers.0",), 1),
        ("GC401", "non-differentiable-op", ("layers.1",), 2),
        ("GC401", "graph-cut", ("layers.2",), 3),
    ]


def test_layers_behind_one_cut_are_told_together() -> None:
    found = unreached(unreached(chain([0.5] * 3, cuts=(cut("detach", 0, 1),)), 0), 1)
    (finding,) = judged(found).findings
    assert (finding.layers, finding.evidence["layers"]) == (("layers.0", "layers.1"), 2)


def test_of_two_cuts_the_one_whose_value_went_on_is_to_blame() -> None:
    cuts = (cut("item", 0, used=False), cut("detach", 0))
    assert only("GC401", unreached(chain([0.5, 0.5], cuts=cuts), 0)).op == "detach"


def test_a_cut_into_a_metric_is_a_note() -> None:
    assert codes(unreached(chain([0.5, 0.5], cuts=(cut("detach", 0, used=False),)), 0)) == [("GC413", "unused")]


def test_a_cut_behind_which_a_gradient_arrived_all_the_same_is_none() -> None:
    assert codes(chain([0.5, 0.5], cuts=(cut("detach", 0),))) == []


# --------------------------------------------------------------------------- custom Functions


def returning_none(name: str) -> Measurement:
    """An op that gets a gradient of 0.5 and sends None: the leaf below it gets nothing, not even a zero."""
    return measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), (4, 0.5), module=-1),
        op(name, 0.5, (2, 0.0), module=2),
        op("MmBackward0", 0.0, (3, 0.0), module=1),
        op(LEAF, 0.0),
        op(LEAF, 0.5),
        parameters=[
            parameter("low.weight", op=3, grad=None, module=1),
            parameter("head.weight", op=4, grad=0.5, module=2),
        ],
        modules=[module("", "Net"), module("low"), module("head")],
    )


@pytest.mark.parametrize("name", ["MineBackward", "SignBackward", "SigmoidBackward"])
def test_a_backward_that_returns_none_is_blamed_whatever_its_name(name: str) -> None:
    (finding,) = judged(returning_none(name)).findings
    assert (finding.code, finding.cause, finding.layers) == ("GC406", "custom-backward", ("low",))
    plain = name.removesuffix("Backward")
    assert finding.message == f"`low` cannot learn: the backward of `{plain}` returns None"
    assert finding.why == "a gradient of norm 0.5 arrives there and none leaves"


def test_an_op_of_torchs_is_not() -> None:
    assert codes(returning_none("SigmoidBackward0")) == [("GC413", "unused")]


# --------------------------------------------------------------------------- one matrix of a layer


def with_sibling(*cuts: Cut, shape: tuple[int, ...] = (4, 4)) -> Measurement:
    """A layer that learns, with another parameter of it that no gradient reaches."""
    found = chain([0.5, 0.5], cuts=cuts)
    return replace(
        found,
        parameters=(
            *found.parameters,
            parameter("layers.0.other", op=None, grad=None, module=1, shape=shape, numel=math.prod(shape)),
        ),
    )


def test_a_matrix_whose_value_is_used_is_judged_alone() -> None:
    (finding,) = judged(with_sibling(replace(cut("Parameter", 2), leaf=True))).findings
    assert (finding.code, finding.layers, finding.cause) == ("GC401", ("layers.0",), "graph-cut")
    assert finding.message == "`layers.0.other` cannot learn: `nn.Parameter()` cuts it off from the loss"
    assert finding.why.startswith("its value was used, and it has no gradient")


@pytest.mark.parametrize("found", [with_sibling(), with_sibling(cut("detach", 2, used=False))])
def test_a_matrix_that_this_batch_never_reads_or_only_measures_is_none(found: Measurement) -> None:
    assert codes(found) == []


@pytest.mark.parametrize(("shape", "severity"), [((4, 4), "error"), ((4,), "warning"), ((), "note")])
def test_a_vector_alone_is_a_warning_and_a_single_number_a_note(shape: tuple[int, ...], severity: str) -> None:
    (finding,) = judged(with_sibling(cut("detach", 2), shape=shape)).findings
    assert (finding.code, finding.severity.value) == ("GC401", severity)
    assert finding.message == "`layers.0.other` cannot learn: `detach()` cuts it off from the loss"


# --------------------------------------------------------------------------- no gradient at all


def test_no_parameter_with_a_gradient_is_the_clearest_illness() -> None:
    found = unreached(unreached(chain([0.5] * 2, cuts=(cut("detach", 0, 1, used=False),)), 0), 1)
    (finding,) = judged(found).findings
    assert (finding.code, finding.severity, finding.cause) == ("GC407", Severity.ERROR, "graph-cut")
    assert finding.layers == ("layers.0", "layers.1")
    assert "`detach()` cuts the loss off from them" in finding.message


def test_where_no_cut_was_seen_the_loss_does_without_the_model() -> None:
    found = unreached(chain([0.5]), 0)
    assert codes(found) == [("GC407", "not-in-loss")]
