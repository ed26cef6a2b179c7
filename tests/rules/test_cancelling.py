"""Gradients that are small because their parts add up to nothing."""

from __future__ import annotations

import pytest

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.thresholds import Thresholds
from tests.measurements import LEAF, judged, measurement, module, op, parameter
from tests.rules.chains import ill, only


def cancelling(decades: float) -> Measurement:
    """A healthy head, and a body whose gradient is the small sum of two contributions of a thousandth."""
    total = 1e-3 * 10**decades
    return measurement(
        op("MseLossBackward0", 1.0, (1, 0.1), module=-1, sequence=9),
        op("AddmmBackward0", 0.1, (2, 0.1), (3, 1e-3), (3, 1e-3), module=1, sequence=8),
        op(LEAF, 0.1),
        op("MmBackward0", total, (4, total), module=2, sequence=2),
        op(LEAF, total),
        parameters=[
            parameter("head.weight", op=2, grad=0.1, module=1),
            parameter("body.weight", op=4, grad=total, module=2),
        ],
        modules=[module("", "Net"), module("head"), module("body")],
    )


def test_a_gradient_that_cancels_is_a_note_and_no_error() -> None:
    (note,) = judged(cancelling(-5)).findings
    assert (note.code, note.severity, note.layers) == ("GC211", Severity.NOTE, ("body",))
    assert note.why == "only 1e-5 of it is left where branches add up"


def test_a_threshold_that_is_moved_also_moves_what_counts_as_cancelling() -> None:
    """Three decades are lost in the merge: with a threshold of two, the layer is slow because its parts cancel."""
    moved = judged(cancelling(-3), thresholds=Thresholds(slower_decades=2.0))
    assert [(f.code, f.severity) for f in moved.findings] == [("GC211", Severity.NOTE)]
    assert [code for code, _ in ill(cancelling(-3))] == ["GC201"]


def biased(left: float) -> Measurement:
    """A layer whose bias keeps a share of the gradient that its weight gets."""
    return measurement(
        op("MseLossBackward0", 1.0, (1, 0.1), module=-1),
        op("AddmmBackward0", 0.1, (2, 0.1), (3, 0.1 * left)),
        op(LEAF, 0.1),
        op(LEAF, 0.1 * left),
        parameters=[
            parameter("weight", op=2, grad=0.1),
            parameter("bias", op=3, grad=0.1 * left, shape=(4,), numel=4),
        ],
        modules=[module("net")],
    )


@pytest.mark.parametrize(("left", "limit", "idle"), [(1e-7, 4, True), (1e-2, 4, False), (1e-2, 2, True)])
def test_a_bias_whose_sum_is_nothing_does_not_move_the_loss(left: float, limit: float, idle: bool) -> None:
    found = judged(biased(left), thresholds=Thresholds(slower_decades=limit)).findings
    assert [(f.code, f.message) for f in found] == [("GC211", "the loss does not change with the bias of `net`")] * idle


def test_what_is_left_of_a_bias_is_told() -> None:
    assert "summed over the batch 1e-7 of the gradient is left" in only("GC211", biased(1e-7)).why
