"""By how much rows stand out."""

from __future__ import annotations

from gradcheck_cli.records.apart import Apart, Kind, rows_among


def test_the_factor_is_that_between_the_nearest_rows() -> None:
    assert Apart(name="x", rows=(1,), kind=Kind.ABOVE, value=50.0, others=2.0).factor == 25.0
    assert Apart(name="x", rows=(1,), kind=Kind.BELOW, value=2.0, others=50.0).factor == 25.0
    assert Apart(name="x", rows=(1,), kind=Kind.CONSTANT, value=50.0).factor == 0.0


def test_a_batch_has_as_many_rows_as_most_of_its_tensors_and_else_as_the_first() -> None:
    assert rows_among((60, 60, 12)) == 60
    assert rows_among((12, 60, 60)) == 60
    assert rows_among((8, 24)) == 8
    assert rows_among((1,)) is None
