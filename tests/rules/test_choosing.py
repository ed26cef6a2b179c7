"""Which rules `select` and `ignore` let through."""

import pytest

from gradcheck_cli.errors import UsageError
from gradcheck_cli.rules import chosen, patterns


@pytest.mark.parametrize(
    ("select", "ignore", "shown"),
    [
        ((), (), True),
        (("GC2",), (), True),
        (("GC201",), (), True),
        (("gc201",), (), True),
        (("vanishing-depth",), (), True),
        (("GC3",), (), False),
        (("GC3", "GC2"), (), True),
        (("GC202",), (), False),
        (("vanishing",), (), False),  # a name counts as a whole, only codes by prefix
        ((), ("GC2",), False),
        ((), ("G",), False),
        ((), ("GC201",), False),
        ((), ("gc2",), False),
        ((), ("vanishing-depth",), False),
        ((), ("GC202", "GC3"), True),
        (("GC2",), ("GC201",), False),
        (("GC2",), ("GC202",), True),
        (("GC201",), ("GC2",), True),
        (("GC2",), ("GC2",), False),
        (("GC2",), ("GC",), True),
        (("GC3",), ("GC2",), False),
        (("GC2",), ("vanishing-depth",), False),
        (("vanishing-depth",), ("GC2",), True),
    ],
)
def test_longer_match_wins(select: tuple[str, ...], ignore: tuple[str, ...], shown: bool) -> None:
    assert chosen("GC201", "vanishing-depth", select, ignore) is shown


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ("GC3", ("GC3",)),
        ("GC3, vanishing-depth", ("GC3", "vanishing-depth")),
        (("GC3", "gc201"), ("GC3", "gc201")),
        (["GC1,GC2"], ("GC1", "GC2")),
        ((), ()),
    ],
)
def test_patterns_are_one_text_or_several(texts, found: tuple[str, ...]) -> None:
    assert patterns(texts, "select") == found


@pytest.mark.parametrize("texts", ["GC999", "GC3,", ("GC3", "vanishing"), ""])
def test_a_pattern_that_fits_no_rule_is_refused(texts) -> None:
    with pytest.raises(UsageError, match="select: no rule is called"):
        patterns(texts, "select")
