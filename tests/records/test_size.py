"""Amounts of memory, as people write and read them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli.records.size import parse_limit, parse_size, size_in_words


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GB", 4 * 10**9),
        ("512 MiB", 512 * 2**20),
        ("1.5gb", 15 * 10**8),
        (" .5 TB ", 5 * 10**11),
        ("1kib", 1024),
        ("7B", 7),
        ("1.9B", 2),
        ("2.GB", 2 * 10**9),
    ],
)
def test_an_amount_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "4", "GB", "0GB", "0.5B", "-1GB", "1e9B", "4 G", "4 GiBs", "1,5GB", "٤GB", "4GB 4GB", "1" * 16 + "B"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of memory like 4GB or 512MiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "words"),
    [(1, "1 B"), (999, "999 B"), (1000, "1 kB"), (1234567, "1.23 MB"), (4 * 10**9, "4 GB"), (10**13, "10 TB")],
)
def test_an_amount_is_told_in_three_digits(size: int, words: str) -> None:
    assert size_in_words(size) == words


@settings(deadline=None)
@given(st.integers(1, 10**15 - 1))
def test_bytes_come_back_exactly(size: int) -> None:
    assert parse_size(f"{size}B") == size


@settings(deadline=None)
@given(st.integers(1, 999), st.integers(0, 12))
def test_three_digits_come_back_to_the_byte(digits: int, power: int) -> None:
    assert parse_size(size_in_words(digits * 10**power)) == pytest.approx(digits * 10**power, abs=1)


@pytest.mark.parametrize("text", ["1B", "900kB", "0GB"])
def test_a_limit_that_no_process_keeps_is_refused(text):
    with pytest.raises(ValueError, match=r"less memory than any process takes|not an amount"):
        parse_limit(text)


def test_a_limit_is_an_amount():
    assert parse_limit("4GB") == parse_size("4GB")
