"""Where gradients become exactly zero, and why: by the op, and against a walk that collects every blocker."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from gradcheck_cli.evidence import Evidence, gather
from gradcheck_cli.records.blockage import Reason
from gradcheck_cli.records.measurement import Lens, Measurement
from gradcheck_cli.records.ops import LEAF, is_custom
from tests.evidence.random_graphs import graphs
from tests.measurements import measurement, module, op, parameter


def blocked(name: str, owner: int = 0, *lenses: Lens) -> Evidence:
    """An op that gets a gradient of 0.5 and sends nothing to the weight below it."""
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), module=-1),
        op(name, 0.5, (2, 0.0), module=owner),
        op("MmBackward0", 0.0, (3, 0.0), module=1),
        op(LEAF, 0.0),
        parameters=[parameter("low.weight", op=3, grad=0.0, module=1)],
        modules=[module("", "Net"), module("low")],
        lenses=lenses,
    )
    return gather(found)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("RoundBackward0", Reason.STEP),
        ("SignBackward0", Reason.STEP),
        ("ReluBackward0", Reason.RECTIFIER),
        ("ClampMinBackward0", Reason.RECTIFIER),
        ("SigmoidBackward0", Reason.SATURATED),
        ("SoftmaxBackward0", Reason.SATURATED),
        ("ExpBackward0", Reason.SATURATED),
        ("MaskedFillBackward0", Reason.MASKED),
        ("IndexBackward0", Reason.MASKED),
    ],
)
def test_the_op_says_why_it_passes_nothing(name: str, reason: Reason) -> None:
    blockage = blocked(name).blocking.of(1)
    assert (blockage.reason, blockage.nearest, blockage.custom) == (reason, 1, None)


def test_an_expand_is_no_exponential_and_is_not_saturated() -> None:
    assert blocked("ExpandBackward0").blocking.of(1).reason is Reason.MASKED


@pytest.mark.parametrize("name", ["SignBackward", "SigmoidBackward", "ReluBackward", "MineBackward"])
def test_a_custom_function_is_not_taken_for_the_op_of_torch_that_is_called_alike(name: str) -> None:
    blockage = blocked(name).blocking.of(1)
    assert (blockage.reason, blockage.custom) == (Reason.SURROGATE, 1)


def test_a_custom_function_outside_the_model_is_a_loss_and_no_unit() -> None:
    assert blocked("MineBackward", -1).blocking.of(1).reason is Reason.MASKED


def test_a_clamp_outside_the_model_is_a_loss_that_is_clipped_and_no_dead_rectifier() -> None:
    assert blocked("ClampBackward1", -1).blocking.of(1).reason is Reason.MASKED


@pytest.mark.parametrize(("zeros", "reason"), [(0.98, Reason.SATURATED), (0.3, Reason.MASKED)])
def test_a_distance_of_zero_under_a_kernel_that_has_underflowed_is_no_mask(zeros: float, reason: Reason) -> None:
    """What is left of the kernel is the distance of each thing to itself, whose slope is 0."""
    found = gather(
        measurement(
            op("SumBackward0", 1.0, (1, 1.0), module=-1),
            op("ExpBackward0", 1.0, (2, 0.5), module=0),
            op("MulBackward0", 0.5, (3, 0.5), module=0),
            op("PowBackward0", 0.5, (4, 0.0), module=0),
            op("MmBackward0", 0.0, (5, 0.0), module=0),
            op(LEAF, 0.0),
            parameters=[parameter("weight", op=5, grad=0.0)],
            lenses=(Lens(op=1, kind="exponential", saturated=zeros),),
        )
    )
    blockage = found.blocking.of(0)
    assert (blockage.reason, blockage.first[reason]) == (reason, 1 if reason is Reason.SATURATED else 3)


@pytest.mark.parametrize(("length", "reason"), [(1, Reason.SINGLE), (8, Reason.SATURATED)])
def test_a_softmax_over_one_element_is_told_from_one_that_is_saturated(length: int, reason: Reason) -> None:
    lens = Lens(op=1, kind="softmax", length=length)
    assert blocked("SoftmaxBackward0", 0, lens).blocking.of(1).reason is reason


# --------------------------------------------------------------------------- factors that are zero


def gated(name: str, **gate: Any) -> Evidence:
    """An op with a parameter, `gate`, and a branch that gets nothing through it."""
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), module=-1),
        op(name, 0.5, (2, 0.0), (3, 0.7)),
        op(LEAF, 0.0),
        op(LEAF, 0.7),
        parameters=[
            parameter("branch.weight", op=2, grad=0.0, module=1),
            parameter("gate", op=3, grad=0.7, **({"weight_norm": 0.0, "shape": (4,)} | gate)),
        ],
        modules=[module("", "Net"), module("branch")],
    )
    return gather(found)


@pytest.mark.parametrize(
    ("name", "shape", "opens"),
    [
        ("MulBackward0", (), True),
        ("MulBackward0", (4,), True),
        ("DivBackward0", (1,), True),
        ("MmBackward0", (4, 4), True),
        ("AddmmBackward0", (4, 4), True),
        ("AddmmBackward0", (4,), False),  # a bias of zero closes nothing
        ("AddBackward0", (4,), False),
    ],
)
def test_a_factor_of_zero_that_learns_opens(name: str, shape: tuple[int, ...], opens: bool) -> None:
    evidence = gated(name, shape=shape)
    assert evidence.blocking.opening(1) == ("gate" if opens else None)
    assert (evidence.blocking.reason(1) is Reason.OPENS) is opens


@pytest.mark.parametrize("fields", [{"weight_norm": 1.0}, {"grad_norm": 0.0}, {"grad_norm": None}])
def test_a_factor_that_is_not_zero_or_does_not_learn_opens_nothing(fields: dict[str, float | None]) -> None:
    plain = gated("MulBackward0")
    assert plain.blocking.opening(1) == "gate"
    weight_norm, grad = fields.get("weight_norm", 0.0), fields.get("grad_norm", 0.7)
    again = measurement(
        *plain.measurement.ops,
        parameters=[
            plain.measurement.parameters[0],
            parameter("gate", op=3, grad=grad, shape=(4,), weight_norm=weight_norm),
        ],
        modules=plain.measurement.modules,
    )
    assert gather(again).blocking.opening(1) is None


@pytest.mark.parametrize(("weight", "bias", "opens"), [(0.0, 1.0, "norm.weight"), (1.0, 0.0, None)])
def test_of_a_normalisation_the_weight_opens_and_the_bias_does_not(
    weight: float, bias: float, opens: str | None
) -> None:
    found = measurement(
        op("NativeBatchNormBackward0", 1.0, (1, 0.0), (2, 0.3), (3, 0.3)),
        op("ConvolutionBackward0", 0.0),
        op(LEAF, 0.3),
        op(LEAF, 0.3),
        parameters=[
            parameter("norm.weight", op=2, grad=0.3, shape=(4,), weight_norm=weight),
            parameter("norm.bias", op=3, grad=0.3, shape=(4,), weight_norm=bias),
        ],
    )
    assert gather(found).blocking.opening(0) == opens


# --------------------------------------------------------------------------- against a walk


def blockers(found: Measurement, leaf: int) -> set[int]:
    """Every op with a gradient from which a leaf can be reached through ops without one."""
    reached, stack = set[int](), [leaf]
    while stack:
        below = stack.pop()
        for index, sender in enumerate(found.ops):
            if below in [edge.to for edge in sender.edges] and index not in reached:
                reached.add(index)
                if not sender.total > 0:
                    stack.append(index)
    return {index for index in reached if found.ops[index].total > 0}


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(graphs)
def test_a_layers_blockage_sums_up_all_that_blocks_it(found: Measurement) -> None:
    evidence = gather(found)
    for owner in evidence.graph.owned:
        leaves = [p.op for p in evidence.graph.parameters_of(owner) if p.op is not None]
        if any(found.ops[leaf].total for leaf in leaves):
            continue
        blocking = set[int]().union(*(blockers(found, leaf) for leaf in leaves))
        blockage = evidence.blocking.of(owner)
        reasons = {index: evidence.blocking.reason(index) for index in blocking}
        assert blockage.nearest == min(blocking)
        assert blockage.reason is min(reasons.values())
        assert blockage.first == tuple(
            min((i for i, r in reasons.items() if r is each), default=None) for each in Reason
        )
        assert blockage.custom == min((i for i in blocking if is_custom(found.ops[i].name)), default=None)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(graphs)
def test_what_an_op_starves_are_the_layers_that_it_blocks(found: Measurement) -> None:
    evidence = gather(found)
    owner = {p.op: p.module for p in found.parameters}
    for index in range(len(found.ops)):
        starved = {owner[leaf] for leaf in owner if leaf is not None and index in blockers(found, leaf)}
        assert evidence.blocking.starved_at(index) == starved
