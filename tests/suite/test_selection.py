"""-k and --shard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.errors import UsageError
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.suite.selection import parse_shard, selected

NAMES = ["nets/a.py:Net[seed=0]", "nets/a.py:Net[seed=1]", "nets/b.py", "old/ORandom.py", "notes.py"]
PLAN = [PlannedCheck(name=name, spec=CheckSpec(model="m.py")) for name in NAMES]


def fit(keyword: str) -> list[int]:
    return [NAMES.index(one.name) for one in selected(PLAN, keyword, None)]


@pytest.mark.parametrize(
    ("keyword", "places"),
    [
        ("nets", [0, 1, 2]),
        ("NETS", [0, 1, 2]),
        ("seed=1]", [1]),
        ("nets and not a.py", [2]),
        ("not nets", [3, 4]),
        ("not not nets", [0, 1, 2]),
        ("notes or b.py", [2, 4]),
        ("old or nets and seed=0", [0, 3]),  # `and` binds closer
        ("(old or nets) and not (seed=0 or b)", [1, 3]),
        ("not(old)and(not nets)", [4]),
        ("orandom", [3]),  # an operator is a whole word
        (" ( ( nets ) ) ", [0, 1, 2]),
    ],
)
def test_an_expression_means_what_it_means_to_pytest(keyword: str, places: list[int]) -> None:
    assert fit(keyword) == places


@pytest.mark.parametrize(
    ("keyword", "column", "found"),
    [
        ("", 1, "the end"),
        ("a b", 3, "`b`"),
        ("a and", 6, "the end"),
        ("or a", 1, "`or`"),
        ("not", 4, "the end"),
        ("(a", 3, "the end"),
        ("a)", 2, "`)`"),
        ("a and and b", 7, "`and`"),
        ("()", 2, "`)`"),
    ],
)
def test_a_malformed_one_is_told_with_its_place(keyword: str, column: int, found: str) -> None:
    with pytest.raises(UsageError, match=rf"column {column}: expected .*, found ") as raised:
        fit(keyword)
    assert str(raised.value).endswith(f"found {found}")


@given(st.text(st.sampled_from("ab() \tnotrd"), max_size=30))
def test_whatever_is_typed_selects_or_is_a_usage_error(keyword: str) -> None:
    try:
        assert fit(keyword)
    except UsageError as error:
        assert "-k" in error.message


def test_deep_nesting_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="nested too deeply"):
        fit("(" * 10_000)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_every_check_is_in_exactly_one_shard(count: int) -> None:
    shards = [selected(PLAN, None, f"{index}/{count}") for index in range(1, count + 1)]
    assert sorted(one.name for shard in shards for one in shard) == sorted(NAMES)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_a_shard_is_a_part_of_what_fits() -> None:
    assert [one.name for one in selected(PLAN, "nets", "2/2")] == [NAMES[1]]


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1/ 2", "٣/٤", "1/9999999"])
def test_what_is_no_shard_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="is not I/N"):
        parse_shard(text)
