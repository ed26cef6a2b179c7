"""Names, counts, numbers and factors as texts say them, and what was probably meant."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.words import (
    count_of,
    counted,
    did_you_mean,
    joined,
    listing,
    named,
    number,
    percent,
    times,
    times_of_one_answer,
    verb,
)


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        (("first",), "`first`"),
        (("0", "2"), "`0` and `2`"),
        (("0", "2", "4"), "`0` .. `4` (3 layers)"),
    ],
)
def test_layers_are_named_in_backticks(layers: tuple[str, ...], told: str) -> None:
    assert named(layers) == told


@pytest.mark.parametrize(
    ("value", "digits", "told"),
    [
        (0.0, 3, "0"),
        (0.0971, 2, "0.097"),
        (22_148.0, 3, "22,100"),
        (561.0, 2, "560"),
        (4721.6, 4, "4,722"),
        (999_999.0, 3, "1,000,000"),
        (1.32e6, 3, "1.32e6"),
        (-7.1e-8, 2, "-7.1e-8"),
        (math.nan, 3, "NaN"),
        (-math.inf, 3, "-Inf"),
    ],
)
def test_numbers_have_no_padding(value: float, digits: int, told: str) -> None:
    assert number(value, digits) == told


@pytest.mark.parametrize(
    ("decades", "told"),
    [
        (0.5, "about 3.2 times"),
        (2.4, "about 250 times"),
        (3.9, "about 7,900 times"),
        (10.3, "about 2e10 times"),
        (4.99, "about 1e5 times"),
        (400.3, "about 2e400 times"),
        (math.inf, "infinitely many times"),
    ],
)
def test_factors_are_told_as_numbers(decades: float, told: str) -> None:
    assert times(decades) == told


@given(st.floats(4, 300))
def test_a_large_factor_is_right_to_one_digit(decades: float) -> None:
    told = float(times(decades).removeprefix("about ").removesuffix(" times"))
    assert abs(told - 10**decades) <= 0.5000001 * 10 ** math.floor(decades)


@pytest.mark.parametrize(
    ("share", "digits", "told"), [(0.96, 0, "96 %"), (0.004, 0, "under 1 %"), (0.0, 0, "0 %"), (0.0042, 1, "0.4 %")]
)
def test_shares(share: float, digits: int, told: str) -> None:
    assert percent(share, digits) == told


def test_lists_and_counts() -> None:
    assert [joined(("a", "b", "c")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert [counted(n, "weight") for n in (1, 2, 1200)] == ["1 weight", "2 weights", "1,200 weights"]
    assert [count_of(n, "layer") for n in (0, 1, 1200)] == ["0 layers", "1 layer", "1200 layers"]
    assert [verb(things, "is", "are") for things in (("a",), ("a", "b"))] == ["is", "are"]


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


def test_a_loss_that_is_that_of_one_answer_is_not_once_it() -> None:
    assert times_of_one_answer(1.0001) == "that of one answer for every sample"
    assert times_of_one_answer(1.3) == "1.3 times that of one answer for every sample"
