"""Rows that stand out, in words."""

from __future__ import annotations

import pytest

from gradcheck_cli.records.apart import Apart, Kind
from gradcheck_cli.rules.rows import standing_out


@pytest.mark.parametrize(
    ("kind", "rows", "value", "others", "told"),
    [
        (
            Kind.ABOVE,
            (20,),
            14538.2,
            0.8,
            "row 20 of `x` reaches 14,538 where the others' largest is 0.8 (18,000 times)",
        ),
        (Kind.ABOVE, (1, 4), 50.0, 2.0, "rows 1 and 4 of `x` all reach 50 where the others' largest is 2 (25 times)"),
        (Kind.BELOW, (3,), 1e-9, 0.5, "row 3 of `x` reaches only 1e-9 where each other reaches 0.5 (5e8 times)"),
        (Kind.ZERO, (3,), 0.0, 0.0, "row 3 of `x` is all 0, and no other is"),
        (Kind.CONSTANT, (3, 5, 7), 2.0, 0.0, "rows 3, 5 and 7 of `x` hold one value throughout, and no other does"),
    ],
)
def test_what_stands_out_is_told_in_a_clause(
    kind: Kind, rows: tuple[int, ...], value: float, others: float, told: str
) -> None:
    assert standing_out(Apart(name="x", rows=rows, kind=kind, value=value, others=others)) == told


@pytest.mark.parametrize(
    ("kind", "rows", "value", "others", "told"),
    [
        (Kind.ABOVE, (20,), 14538.2, 2.1, "row 20 of `x` reaches 14,538; the largest of the last 100 batches was 2.1"),
        (Kind.ABOVE, (1, 4), 50.0, 2.0, "rows 1 and 4 of `x` reach 50; the largest of the last 100 batches was 2"),
        (Kind.LONGER, (), 400, 10, "`x` is 400 long; the longest of the last 100 batches was 10"),
        (Kind.UNSEEN, (3,), 255, 20, "row 3 of `x` holds 255; the largest of the last 100 batches was 20"),
        (Kind.UNSEEN, (), -1, 0, "`x` holds -1; the least of the last 100 batches was 0"),
        (Kind.ZERO, (3, 5), 0.0, 0.4, "rows 3 and 5 of `x` are all 0; none of the last 100 batches had such a row"),
    ],
)
def test_what_no_batch_before_had_is_told_against_them(
    kind: Kind, rows: tuple[int, ...], value: float, others: float, told: str
) -> None:
    assert standing_out(Apart(name="x", rows=rows, kind=kind, value=value, others=others, batches=100)) == told
