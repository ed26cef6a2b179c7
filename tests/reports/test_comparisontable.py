"""Two runs compared, for a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.reports.comparison import CheckComparison, FindingChange, Move, ReportComparison
from gradcheck_cli.reports.comparisontable import render_comparison
from gradcheck_cli.reports.style import Style


def change(code: str, *layers: str) -> FindingChange:
    return FindingChange(code=code, rule="r", severity=Severity.ERROR, layers=layers, message=f"message of {code}")


def move(layer: str, before: float | None, after: float | None) -> Move:
    moved = None if before is None or after is None else after - before
    return Move(layer=layer, before=before, after=after, moved=moved)


def compared(*checks: CheckComparison) -> ReportComparison:
    return ReportComparison(before="main.json", after="branch.json", checks=checks)


def drawn(*checks: CheckComparison, width: int = 80, **choices: bool) -> str:
    return render_comparison(compared(*checks), Style(width=width, **choices))


CHANGED = CheckComparison(
    name="net",
    before="ill",
    after="ok",
    new=(change("GC206", "head"),),
    fixed=(change("GC201", "layers.0", "layers.1"),),
    still=(change("GC402"),),
    moves=(move("layers.0", -8.5, -1.9), move("layers.1", None, -2.0), move("layers.2", -1.0, -1.1)),
)
SAME = CheckComparison(name="other", before="ok", after="ok")


def test_a_comparison_opens_with_its_two_runs_and_ends_with_the_counts() -> None:
    lines = drawn(CHANGED).splitlines()
    assert lines[0] == "main.json → branch.json"
    assert lines[-1] == "1 new, 1 fixed, 1 still there; 2 layers moved by 0.5 decades or more"


def test_each_change_stands_under_its_check_with_its_label() -> None:
    lines = drawn(CHANGED).splitlines()
    assert lines[2:6] == [
        "net  ill → ok",
        "  new    GC206 error  message of GC206 (`head`)",
        "  fixed  GC201 error  message of GC201 (`layers.0`, `layers.1`)",
        "  still  GC402 error  message of GC402",
    ]


def test_far_moves_are_a_table_and_near_ones_a_count() -> None:
    text = drawn(CHANGED)
    rows = [line.split() for line in text.splitlines() if "layers." in line and "GC" not in line]
    assert rows == [["layers.0", "-8.5", "-1.9", "+6.6", "decades"], ["layers.1", "–", "-2.0", "gradient", "found"]]
    assert "  1 smaller move" in text and "with --verbose" in text
    verbose = drawn(CHANGED, verbose=True)
    assert "layers.2" in verbose and "smaller" not in verbose


@pytest.mark.parametrize(("count", "words"), [(1, "1 check without a change"), (3, "3 checks without a change")])
def test_checks_without_a_change_are_counted_and_shown_with_verbose(count: int, words: str) -> None:
    assert words in drawn(CHANGED, *[SAME] * count)
    verbose = drawn(CHANGED, *[SAME] * count, verbose=True)
    assert verbose.count("other  still ok") == count
    assert "without a change" not in verbose


def test_quiet_leaves_out_what_is_still_there() -> None:
    assert "GC402" in drawn(CHANGED)
    text = drawn(CHANGED, quiet=True)
    assert "GC402" not in text and "GC206" in text


def test_new_is_red_and_fixed_is_green() -> None:
    text = drawn(CHANGED, color=True)
    assert "\x1b[1;31mnew" in text
    assert "\x1b[1;32mfixed" in text
    assert "\x1b[33mstill" in text


def test_a_check_of_one_run_only_is_told() -> None:
    assert "gone  only in the earlier run: ok" in drawn(CheckComparison(name="gone", before="ok", after=""))
    assert "come  only in the later run: ill" in drawn(CheckComparison(name="come", before="", after="ill"))


TEXTS = st.text(alphabet="ab層[/]\x1b\n|`\u202e ", max_size=20)


@settings(max_examples=40, deadline=None)
@given(name=TEXTS, layer=TEXTS, width=st.integers(20, 120), unicode=st.booleans())
def test_no_line_is_wider_than_the_page_and_no_word_is_markup(name: str, layer: str, width: int, unicode: bool) -> None:
    check = CheckComparison(
        name=name, before="ill", after="ok", new=(change("GC201", layer),), moves=(move(layer, -9.0, 0.0),)
    )
    text = drawn(check, width=width, unicode=unicode, color=False)
    assert all(line.isprintable() and cell_len(line) <= width for line in text.split("\n"))
