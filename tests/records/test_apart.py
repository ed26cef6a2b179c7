"""By how much rows stand out."""

from __future__ import annotations

from gradcheck_cli.records.apart import Apart, Kind


def test_the_factor_is_that_between_the_nearest_rows() -> None:
    assert Apart(name="x", rows=(1,), kind=Kind.ABOVE, value=50.0, others=2.0).factor == 25.0
    assert Apart(name="x", rows=(1,), kind=Kind.BELOW, value=2.0, others=50.0).factor == 25.0
    assert Apart(name="x", rows=(1,), kind=Kind.CONSTANT, value=50.0).factor == 0.0
