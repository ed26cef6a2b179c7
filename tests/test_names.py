"""Words for messages: close names, short lists."""

import pytest

from gradcheck_cli.names import did_you_mean, listing


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("CrossEntropy", "; did you mean `cross_entropy`?"),
        ("mse-loss", "; did you mean `mse_loss`?"),
        ("zzz", ""),
    ],
)
def test_did_you_mean(name: str, told: str) -> None:
    assert did_you_mean(name, ("cross_entropy", "mse_loss")) == told


def test_a_listing_is_short() -> None:
    assert listing(["a", "b"]) == "`a`, `b`"
    assert listing(list("abcd"), limit=2) == "`a`, `b` and 2 more"
