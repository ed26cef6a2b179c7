"""What a measurement says by itself: stems, floating tensors, and the op that made a gradient infinite."""

from __future__ import annotations

import math

import pytest

from tests.measurements import LEAF, measurement, op, stats


@pytest.mark.parametrize(
    ("name", "stem"),
    [("SigmoidBackward0", "Sigmoid"), ("SigmoidBackward", ""), ("ExpandBackward0", "Expand"), (LEAF, LEAF)],
)
def test_an_op_has_a_stem_unless_it_is_a_custom_function(name: str, stem: str) -> None:
    assert op(name, 1.0).stem == stem


@pytest.mark.parametrize(
    ("dtype", "floating"),
    [
        ("float32", True),
        ("float8_e4m3fn", True),
        ("bfloat16", True),
        ("int64", False),
        ("bool", False),
        ("complex64", False),
    ],
)
def test_amounts_are_told_from_names(dtype: str, floating: bool) -> None:
    assert stats("x", dtype=dtype).is_floating is floating


@pytest.mark.parametrize(
    ("norms", "culprit"),
    [
        ((0.5, 0.25), None),
        ((0.5, math.inf), 1),
        ((math.nan, math.nan), 0),
        ((math.nan, 0.5), 0),  # what is finite below a poisoned op is no excuse for it
        ((0.0, math.nan), 1),
    ],
)
def test_the_culprit_got_a_finite_gradient_and_sent_one_that_is_not(
    norms: tuple[float, float], culprit: int | None
) -> None:
    upper, lower = norms
    found = measurement(
        op("MulBackward0", 1.0, (1, upper)), op("SqrtBackward0", upper, (2, lower)), op(LEAF, lower, sequence=-1)
    )
    assert found.culprit == culprit


def test_of_several_culprits_the_one_nearest_to_the_loss_is_named() -> None:
    found = measurement(
        op("AddBackward0", 1.0, (1, 1.0), (2, 1.0)),
        op("LogBackward0", 1.0, (3, math.inf)),
        op("SqrtBackward0", 1.0, (4, 1.0), (3, math.nan)),
        op(LEAF, math.nan),
        op(LEAF, 1.0),
    )
    assert found.culprit == 1
