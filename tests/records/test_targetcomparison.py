"""Shapes that are compared."""

from __future__ import annotations

from typing import Any

import pytest

from gradcheck_cli.records.targetcomparison import Side, TargetComparison


def comparison(
    output: tuple[int, ...], target: tuple[int, ...], shape: tuple[int, ...], **fields: Any
) -> TargetComparison:
    """A difference of two sides that run from 0 to 1."""
    sides = {"output": Side(shape=output, least=0.0, most=1.0), "target": Side(shape=target, least=0.0, most=1.0)}
    return TargetComparison(**({"function": "sub", "op": 0, "source": None, "shape": shape} | sides | fields))


@pytest.mark.parametrize(
    ("output", "target", "shape", "expected"),
    [
        ((8, 1), (8,), (8, 8), True),
        ((8,), (8, 1), (8, 8), True),
        ((8, 1, 1), (8, 1), (8, 8, 1), True),
        ((8, 1), (8, 8), (8, 8), True),  # the targets were broadcast before
        ((8, 1), (8, 1), (8, 1), False),
        ((8, 1), (1, 8), (8, 8), False),  # written so
        ((8, 3), (8, 1), (8, 3), False),  # one weight a sample
        ((8, 3), (3,), (8, 3), False),
        ((1, 1), (1,), (1, 1), False),  # one sample
        ((8, 1), (), (8, 1), False),
    ],
)
def test_every_output_meets_every_target(
    output: tuple[int, ...], target: tuple[int, ...], shape: tuple[int, ...], expected: bool
) -> None:
    assert comparison(output, target, shape).broadcasts is expected
