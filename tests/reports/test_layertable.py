"""The table of layers, in every width."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from gradcheck_cli.records.report import Report
from gradcheck_cli.reports.layertable import layer_table
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.table import page
from tests.reports.examples import EXAMPLES, deep, finding, healthy, layer, report, vanishing


def drawn(made: Report, width: int = 100, **choices: bool) -> str:
    style = Style(width=width, **choices)
    return page([layer_table(made, style, width)], style)


def header(made: Report, width: int) -> list[str]:
    return re.split(r"  +", drawn(made, width).splitlines()[0].strip())


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (120, ["layer", "|grad|", "|grad|/|w|", "decades from loss", "verdict"]),
        (75, ["layer", "|grad|", "|grad|/|w|", "decades from loss", "verdict"]),
        (60, ["layer", "|grad|", "|grad|/|w|", "decades", "verdict"]),
        (55, ["layer", "|grad|", "decades", "verdict"]),
        (26, ["layer", "decades", "verdict"]),
        (20, ["layer", "verdict"]),
    ],
)
def test_columns_that_do_not_fit_are_left_out_and_the_verdict_never(width: int, columns: list[str]) -> None:
    assert header(healthy(), width) == columns


def test_where_names_are_long_the_norm_goes_first() -> None:
    long = report(layers=(layer("a" * 70, -1.0),))
    assert header(long, 100) == ["layer", "|grad|/|w|", "decades from loss", "verdict"]


@pytest.mark.parametrize("example", sorted(EXAMPLES))
@settings(max_examples=8, deadline=None)
@given(width=st.integers(20, 200), unicode=st.booleans(), verbose=st.booleans())
def test_no_line_is_wider_than_the_page(example: str, width: int, unicode: bool, verbose: bool) -> None:
    text = drawn(EXAMPLES[example](), width, unicode=unicode, verbose=verbose)
    assert max((cell_len(line) for line in text.splitlines()), default=0) <= width
    assert unicode or text.isascii()


def test_the_rows_run_from_the_head_down_with_their_numbers() -> None:
    lines = drawn(vanishing(), 100).splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["head", *(f"layers.{i}" for i in range(9, -1, -1))]
    assert lines[0].split()[1:4] == ["7.8e-01", "1.7e-01", "-0.1"]
    assert lines[-1].split()[1:4] == ["3.2e-09", "6.9e-10", "-8.5"]
    assert lines[-1].endswith("GC201 vanishing-depth")


def test_bars_are_in_proportion_and_full_at_the_farthest_layer() -> None:
    made = report(layers=tuple(layer(f"l{i}", -float(i)) for i in (0, 4, 8)))
    bars = [line.count("█") for line in drawn(made, 100).splitlines()[1:]]
    assert bars == [16, 8, 0]


def test_a_healthy_model_has_short_bars() -> None:
    made = report(layers=(layer("a", -1.0), layer("b", -2.0)))
    assert [line.count("█") for line in drawn(made, 100).splitlines()[1:]] == [8, 4]  # of 16, full at 4 decades


@pytest.mark.parametrize(("width", "named"), [(100, True), (90, True), (89, False), (60, False)])
def test_the_rules_name_stands_where_there_is_room(width: int, named: bool) -> None:
    assert ("vanishing-depth" in drawn(vanishing(), width)) is named
    assert "GC201" in drawn(vanishing(), width)


@pytest.mark.parametrize(("fields", "word"), [({"nan_count": 3}, "nan"), ({"inf_count": 3}, "inf"), ({}, "–")])
def test_a_gradient_without_a_norm_says_what_it_holds(fields: dict[str, int], word: str) -> None:
    made = report(layers=(replace(layer("a", None), **fields),))
    for width in (100, 55):
        assert word in drawn(made, width).splitlines()[1].split()


def test_a_fold_tells_how_many_of_what_and_their_range() -> None:
    text = drawn(deep(), 100)
    assert re.search(r"… 139 layers …  +-14\.0 \.\. -0\.2  +all ok", text)
    assert re.search(r"… 56 layers …  +-19\.8 \.\. -14\.3  +all GC201", text)


def test_a_fold_of_several_kinds_counts_them() -> None:
    statuses = ["ok"] * 10 + ["frozen"] * 10
    made = report(layers=tuple(layer(f"l{i}", -1.0, status) for i, status in enumerate(statuses)))
    assert "7 frozen, 7 healthy" in drawn(made, 100)


def test_a_layer_has_the_colour_of_its_finding_and_a_healthy_one_none() -> None:
    made = report(layers=(layer("sick", -8.0, "GC201"), layer("well", -1.0)), findings=(finding(("sick",)),))
    text = drawn(made, 100, color=True)
    assert "\x1b[31msick" in text
    assert "\x1b[32mok" in text
    assert "\x1b[32mwell" not in text


def test_the_root_is_shown_by_its_kind_and_words_are_no_markup() -> None:
    text = drawn(report(layers=(layer("", -1.0, kind="[bold]Net"), layer("[/b]\x1b", math.inf))), 100)
    assert "[bold]Net" in text and r"[/b]\x1b" in text
