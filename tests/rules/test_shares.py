"""The groups of an account as shares that add up."""

from __future__ import annotations

import pytest

from tests.rules.chains import LINE, deep, only


def test_a_finding_carries_its_shares_which_add_up() -> None:
    found = only("GC201", deep(("SigmoidBackward0", 1e-5), ("ExpBackward0", 0.1), ("MmBackward0", 1.0)))
    told = {(share.kind, share.where, round(share.decades, 9), share.count, share.source) for share in found.shares}
    assert found.shares[0].kind == "sigmoid slope"
    assert told == {
        ("sigmoid slope", "`body`", -5, 1, LINE),
        ("shared", "", -1, 1, None),
        ("exp", "`body`", -1, 1, LINE),
    }


def test_no_more_than_six_shares_are_told_and_the_rest_is_one() -> None:
    steps = [(f"{name}Backward0", 0.01) for name in "Exp Log Sin Cos Erf Tan Atan".split()]
    found = only("GC201", deep(*steps, ("MmBackward0", 1.0)))
    assert found.cause == "unknown"
    assert found.message.endswith("no single kind of factor takes half of what its gradient loses")
    assert [share.kind for share in found.shares][-1] == "elsewhere"
    assert len(found.shares) == 6
    assert sum(share.decades for share in found.shares) == pytest.approx(found.numbers["decades"])
