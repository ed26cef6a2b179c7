"""One block a finding, for a terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.report import Finding, Remedy, Report, Trial
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.reports.findings import finding_block, note_line
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.table import page
from tests.reports.examples import INIT, RELU, SHARES, finding, vanishing
from tests.reports.hostile import reports

WAIVER = "  to waive  ignore: {GC201: {layers: [a], reason: WHY}}"


def drawn(one: Finding, *, first: bool = True, width: int = 100, **choices: bool) -> str:
    style = Style(width=width, **choices)
    return page([finding_block(one, vanishing(), style, width, first=first)], style)


def test_a_block_is_the_message_then_where_why_what_to_try_and_how_to_waive_it() -> None:
    lines = drawn(vanishing().findings[0], width=120).splitlines()
    assert lines[0].startswith("GC201 error  `layers.0` .. `layers.5` (6 layers) learn up to about 2e8 times")
    assert [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "] == ["at", "why", "try", "to"]
    assert "  at   deep_sigmoid.py:14  x = torch.sigmoid(layer(x))" in lines
    assert "       1 more with --verbose" in lines


@pytest.mark.parametrize(("first", "verbose", "shown"), [(True, False, 3), (False, False, 1), (False, True, 4)])
def test_how_many_remedies_are_shown_depends_on_the_place(first: bool, verbose: bool, shown: int) -> None:
    text = drawn(vanishing().findings[0], first=first, verbose=verbose)
    titles = [remedy.title for remedy in vanishing().findings[0].remedies]
    assert [title in text for title in titles] == [place < shown for place in range(4)]
    assert ("more with --verbose" in text) is (shown < 4)


def test_what_is_not_known_leaves_no_line() -> None:
    bare = finding(("a",), message="m", why="", source=None, remedies=(), evidence={})
    assert drawn(bare) == drawn(bare, verbose=True) == f"GC201 error  m\n{WAIVER}\n"


def test_how_to_waive_it_is_one_line_or_none_unless_all_is_asked_for() -> None:
    assert drawn(finding(("a",)), width=60).splitlines()[-1] == WAIVER
    assert "to waive" not in drawn(finding(("a",)), width=len(WAIVER) - 1)
    assert "to waive" in drawn(finding(("a",)), width=len(WAIVER) - 1, verbose=True)
    assert f"\x1b[2m{WAIVER.strip()} " in drawn(finding(("a",)), color=True)


def test_a_place_without_code_is_the_place_alone() -> None:
    one = finding(("a",), source=SourceLine(file="a.py", line=3, code="  "), remedies=())
    assert "  at   a.py:3\n" in drawn(one)


def test_the_numbers_are_shown_with_verbose_to_four_digits() -> None:
    one = finding(("a",), remedies=(), evidence={"decades": -8.512345, "steps": 60, "produced": "inf"})
    assert "data  decades -8.512, steps 60, produced inf" in drawn(one, verbose=True)
    assert "data" not in drawn(one)


def test_the_shares_are_shown_with_verbose_and_where_no_cause_is_known() -> None:
    one = finding(("a",), remedies=(), evidence={}, shares=SHARES)
    assert "where" not in drawn(one)
    for text in (drawn(one, verbose=True), drawn(replace(one, cause="unknown"))):
        lines = [line.strip() for line in text.splitlines()]
        assert "where  -6.1 decades in 10 sigmoid slopes of `(Deep)`, deep_sigmoid.py:14" in lines
        assert lines[-2:] == ["-0.3 decades elsewhere", WAIVER.strip()]
        assert len([line for line in lines if " decades " in line]) == len(SHARES) + 1  # and in the why


def test_a_trial_is_drawn_with_its_bars_and_its_words() -> None:
    text = drawn(finding(("a",), remedies=(RELU,)))
    assert "tried  ████████ → █▊  fixed, -8.5 → -1.9 decades" in text
    plain = drawn(finding(("a",), remedies=(INIT,)), unicode=False)
    assert "tried  ######## -> ######  helps, -8.5 -> -6 decades" in plain


def test_a_remedy_that_was_not_tried_says_why_with_verbose() -> None:
    remedy = Remedy(id="x", title="Less", detail="", trial=Trial(note="it needs the data set"))
    assert "not tried: it needs the data set" in drawn(finding(("a",), remedies=(remedy,)), verbose=True)
    assert "it needs" not in drawn(finding(("a",), remedies=(remedy,)))


def test_where_a_remedy_does_not_belong_and_where_it_comes_from_is_shown_with_verbose() -> None:
    remedy = Remedy(id="x", title="Less", detail="It is less.", unless="where more is needed", source="Paper 2020")
    text = drawn(finding(("a",), remedies=(remedy,)), verbose=True)
    assert "1. Less — It is less." in text
    assert "not: where more is needed" in text and "source: Paper 2020" in text
    assert "Paper" not in drawn(finding(("a",), remedies=(remedy,)))


def test_each_line_of_a_remedys_code_stays_a_line() -> None:
    remedy = Remedy(id="x", title="T", detail="", code="a = 1\nb = 2")
    lines = [line.strip() for line in drawn(finding(("a",), remedies=(remedy,))).splitlines()]
    assert lines[-3:] == ["a = 1", "b = 2", WAIVER.strip()]


@pytest.mark.parametrize(
    ("fields", "label", "color"),
    [
        ({}, "GC201 error", "\x1b[1;31m"),
        ({"severity": Severity.WARNING}, "GC201 warning", "\x1b[1;33m"),
        ({"known": True}, "GC201 error (known)", "\x1b[2m"),
    ],
)
def test_the_headline_has_the_colour_of_the_severity(fields: dict[str, object], label: str, color: str) -> None:
    assert drawn(finding(("a",), **fields), color=True).startswith(f"{color}{label}\x1b[0m")


def test_a_note_is_one_dim_line() -> None:
    note = finding(("a",), code="GC402", severity=Severity.NOTE, message="`a` is unused", why="nothing reads it")
    assert note_line(note, Style()).plain == "note  GC402 `a` is unused  deep_sigmoid.py:14"
    assert note_line(replace(note, source=None), Style()).plain == "note  GC402 `a` is unused"
    verbose = note_line(note, Style(verbose=True)).plain
    assert verbose == "note  GC402 `a` is unused — nothing reads it  deep_sigmoid.py:14"
    assert note_line(note, Style(verbose=True, unicode=False)).plain.isascii()


@settings(max_examples=40, deadline=None)
@given(made=reports(), width=st.integers(20, 120), verbose=st.booleans(), unicode=st.booleans())
def test_no_word_leaves_its_line_or_the_page(made: Report, width: int, verbose: bool, unicode: bool) -> None:
    for one in made.findings:
        text = drawn(one, width=width, verbose=verbose, unicode=unicode)
        assert all(line.isprintable() and cell_len(line) <= width for line in text.split("\n"))
        assert note_line(one, Style(unicode=unicode)).plain.isprintable()
