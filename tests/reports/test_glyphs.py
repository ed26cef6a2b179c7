import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.reports.glyphs import bar, figure, shown, sparkline


@given(st.text(st.characters()))
def test_shown_is_printable_and_encodable(text: str) -> None:
    assert shown(text).isprintable()
    shown(text).encode("utf-8")
    assert shown(text, unicode=False).isascii()


@given(st.lists(st.floats(min_value=0) | st.just(math.nan)), st.integers(1, 80))
def test_sparkline_fits(values: list[float], width: int) -> None:
    assert len(sparkline(values, width)) == min(width, len(values))


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ((1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0), "▁▂▃▄▅▆▇█"),
        ((0.0, math.nan, math.inf, 1.0), " ?██"),
        ((2.0, 2.0), "██"),
        ((0.0, 0.0), "  "),
        ((), ""),
    ],
)
def test_sparkline(values: tuple[float, ...], line: str) -> None:
    assert sparkline(values, 60) == line


def test_a_shared_character_shows_the_largest() -> None:
    assert sparkline((1.0, 1e-9, 1e-9, 1e-9), 2) == "█▁"


@given(st.none() | st.floats(), st.floats(min_value=1, max_value=1e6), st.integers(1, 20), st.booleans())
def test_bar_fits(value: float | None, scale: float, width: int, unicode: bool) -> None:
    assert len(bar(value, scale, width, unicode)) <= width


def test_bar_is_proportional() -> None:
    assert bar(-8.0, 8.0, 8) == "████████"
    assert bar(4.0, 8.0, 8) == "████"
    assert bar(-1.0, 8.0, 4) == "▌"
    assert bar(-4.0, 8.0, 8, unicode=False) == "####"


def test_figure() -> None:
    assert [figure(x) for x in (None, 0.0, 1e-9, math.nan, -math.inf)] == ["–", "0", "1.0e-09", "nan", "-inf"]
