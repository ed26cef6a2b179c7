"""Blockages: the first op of each reason, and how two of them join."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli.records.blockage import Blockage, Reason

OPS = st.none() | st.integers(0, 9)
BLOCKAGES = st.builds(Blockage, st.tuples(*[OPS] * len(Reason)), OPS)
NOTHING = Blockage()


def at(**ops: int) -> Blockage:
    return Blockage(tuple(ops.get(reason.name) for reason in Reason))


@settings(deadline=None)
@given(BLOCKAGES, BLOCKAGES, BLOCKAGES)
def test_joining_is_associative_commutative_and_idempotent(a: Blockage, b: Blockage, c: Blockage) -> None:
    assert a.joined(b).joined(c) == a.joined(b.joined(c))
    assert a.joined(b) == b.joined(a)
    assert a.joined(a) == a.joined(NOTHING) == NOTHING.joined(a) == a


@settings(deadline=None)
@given(BLOCKAGES, BLOCKAGES)
def test_what_is_joined_begins_at_the_earlier_op_and_is_explained_by_the_lower_reason(a: Blockage, b: Blockage) -> None:
    both, parts = a.joined(b), (a, b)
    assert both.nearest == min((p.nearest for p in parts if p.nearest is not None), default=None)
    assert both.reason == min((p.reason for p in parts if p.reason is not None), default=None)
    assert both.custom == min((p.custom for p in parts if p.custom is not None), default=None)


@pytest.mark.parametrize(
    ("blockage", "nearest", "reason"),
    [
        (NOTHING, None, None),
        (at(MASKED=3), 3, Reason.MASKED),
        (at(MASKED=3, SATURATED=7), 3, Reason.SATURATED),
        (at(OPENS=9, STEP=0), 0, Reason.OPENS),  # a way that will open decides, however far down
        (at(RECTIFIER=0), 0, Reason.RECTIFIER),
    ],
)
def test_the_nearest_op_and_the_reason_are_read_apart(
    blockage: Blockage, nearest: int | None, reason: Reason | None
) -> None:
    assert (blockage.nearest, blockage.reason) == (nearest, reason)
