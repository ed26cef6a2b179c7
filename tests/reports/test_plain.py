"""Findings as plain lines, and where they stand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli.records.choices import About, Decision, Severity, Status
from gradcheck_cli.records.report import Opinion, Remedy, Share, Trial
from gradcheck_cli.reports import FORMATS, Style, render
from gradcheck_cli.reports.plain import (
    below_here,
    finding_lines,
    is_same,
    level,
    numbers_in_words,
    opinion_in_words,
    share_in_words,
    suite_of_one,
    suspicions_in_words,
    training_in_words,
    trial_in_words,
    without_folders,
)
from tests.reports.examples import EXAMPLES, SHARES, finding, report, vanishing
from tests.reports.hostile import NAMES


@pytest.mark.parametrize("example", sorted(EXAMPLES))
def test_a_report_is_a_suite_of_one(example: str) -> None:
    made = EXAMPLES[example]()
    suite = suite_of_one(made)
    assert suite.checks == (made,)
    assert (suite.name, suite.exit_code, suite.seconds) == (made.name, made.exit_code, 0.6)
    assert suite_of_one(report(seconds={})).seconds == 0.0


@pytest.mark.parametrize("severity", Severity)
def test_what_fails_its_check_is_told_as_loudly_as_it_is(severity: Severity) -> None:
    one = finding(("a",), severity=severity)
    assert level(report(exit_code=1), one) is severity
    assert level(report(exit_code=0), one) is Severity.NOTE
    assert level(report(exit_code=1), finding(("a",), severity=severity, known=True)) is Severity.NOTE


def test_a_finding_is_its_layers_its_reason_and_its_remedies() -> None:
    lines = finding_lines(vanishing().findings[0])
    assert lines[0] == "layers: `layers.0`, `layers.1`, `layers.2`, `layers.3`, `layers.4`, `layers.5`"
    assert lines[1].startswith("why: the gradient loses 8.4 decades")
    assert lines[2] == "try: ReLU in place of sigmoid (tried: fixed, -8.5 → -1.9 decades)"
    assert lines[4:] == ["try: LayerNorm before each sigmoid", "try: Identity path around each block"]
    assert finding_lines(replace(finding(("a",), why="", remedies=()), layers=())) == []


@settings(max_examples=50, deadline=None)
@given(path=NAMES, why=NAMES, title=NAMES)
def test_each_line_of_a_finding_is_one_line_that_can_be_printed(path: str, why: str, title: str) -> None:
    remedy = Remedy(id="x", title=title, detail="", trial=Trial(outcome="worse", note=why))
    lines = finding_lines(finding((path,), why=why, remedies=(remedy,)))
    assert len(lines) == 2 + bool(why)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("trial", "words"),
    [
        (Trial(), ""),
        (Trial(note="needs a step"), ""),
        (Trial(outcome="fixed"), "fixed"),
        (Trial(outcome="no-effect", note="it changes the output"), "no-effect, it changes the output"),
        (Trial(outcome="helps", before=-8.5, after=-6.0, unit="decades"), "helps, -8.5 → -6 decades"),
        (Trial(outcome="helps", before=1234.5, after=1e-9), "helps, 1.23e+03 → 1e-09"),
        (
            Trial(outcome="fixed", before=9.0, after=2.0, unit="loss of this batch after the update"),
            "fixed for this one update, 9 → 2 loss of this batch after the update",
        ),
        (
            Trial(outcome="helps", before=0.5, after=0.1, unit="|dw|/|w|"),
            "helps for this one update, 0.5 → 0.1 |dw|/|w|",
        ),
        (Trial(outcome="worse", before=1.0, after=None, unit="decades"), "worse"),
        (
            Trial(outcome="fixed", before=1.0, after=2.0, unit="decades", steps=20, loss_without=2.3, loss_with=0.41),
            "fixed, 1 → 2 decades; loss after 20 steps 0.41 instead of 2.3",
        ),
        (
            Trial(outcome="helps", before=2.3, after=0.4, unit="loss after 20", steps=20, loss_without=2, loss_with=1),
            "helps, 2.3 → 0.4 loss after 20",
        ),
        (
            Trial(outcome="fixed", before=1.0, after=2.0, unit="x", steps=20, loss_without=1.38, loss_with=1.379),
            "fixed, 1 → 2 x; training is no different after 20 steps",
        ),
        (
            Trial(outcome="no-effect", before=1.38, after=1.38, unit="loss after 20 steps"),
            "no-effect, 1.38 loss after 20 steps, no different",
        ),
    ],
)
def test_what_came_of_a_trial_is_told_in_words(trial: Trial, words: str) -> None:
    assert trial_in_words(Remedy(id="x", title="", detail="", trial=trial)) == words


def test_numbers_and_training_are_told_only_where_both_ends_are_known() -> None:
    assert numbers_in_words(Trial(before=0.0, after=0.0, unit="x")) == "0 → 0 x"
    assert numbers_in_words(Trial(after=1.0)) == numbers_in_words(Trial(before=1.0)) == ""
    assert training_in_words(Trial(loss_with=1.0)) == training_in_words(Trial(loss_without=1.0)) == ""
    assert training_in_words(Trial(steps=5, loss_with=0.0, loss_without=1.0)) == "loss after 5 steps 0 instead of 1"


@pytest.mark.parametrize(
    ("loss", "other", "same"),
    [
        (1.0, 1.0, True),
        (1.0, 1.01, True),
        (1.0, 1.03, False),
        (-1.0, -1.01, True),
        (0.0, 0.0, True),
        (0.0, 1e-9, False),
        (math.inf, math.inf, True),
        (1.0, math.inf, False),
    ],
)
def test_losses_that_differ_by_next_to_nothing_are_the_same(loss: float, other: float, same: bool) -> None:
    assert is_same(loss, other) is same


def test_a_file_is_shown_from_here_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert below_here("a/b.py") == "a/b.py"
    assert below_here(str(tmp_path / "a" / "b.py")) == "a/b.py"
    assert below_here("a/../../b.py") is None
    assert below_here(str(tmp_path.parent / "b.py")) is None
    assert below_here("/b.py") is None


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("raised in /home/me/project/net.py:3", "raised in net.py:3"),
        (r"raised in C:\Users\me\net.py", "raised in net.py"),
        ("`/tmp/x/y.pt` and /tmp/z.pt", "`y.pt` and z.pt"),
        ("relative/path.py stays", "relative/path.py stays"),
        ("./here/net.py stays", "./here/net.py stays"),
        ("https://example.org/a/b stays", "https://example.org/a/b stays"),
        ("1/2 of 3 / 4", "1/2 of 3 / 4"),
        ("|g|/|w| is 1e-3", "|g|/|w| is 1e-3"),
        ("", ""),
    ],
)
def test_paths_lose_their_folders(text: str, cut: str) -> None:
    assert without_folders(text) == cut


WORDS = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)


@given(folders=st.lists(WORDS, min_size=1, max_size=4), name=WORDS, before=st.sampled_from(["", "in ", "(", "`", "="]))
def test_no_folder_of_an_absolute_path_is_left(folders: list[str], name: str, before: str) -> None:
    for root, mark in (("/", "/"), ("C:\\", "\\")):
        assert without_folders(f"{before}{root}{mark.join(folders)}{mark}{name}.py") == f"{before}{name}.py"


def opinion(decision: Decision, told: str = "said *so*") -> Opinion:
    return Opinion(about=About.WHOLE, severity=Severity.ERROR, decision=decision, told=told)


@pytest.mark.parametrize("decision", Decision)
def test_how_a_suspicion_was_decided_is_a_label_and_what_is_told(decision: Decision) -> None:
    label = "trained" if decision in (Decision.CONFIRMED, Decision.REFUTED) else "undecided"
    one = finding(("a",), remedies=(), why="w", opinion=opinion(decision))
    assert opinion_in_words(one) == [(label, "said *so*")]
    assert finding_lines(one)[1:] == ["why: w", f"{label}: said *so*"]
    assert opinion_in_words(replace(one, opinion=opinion(decision, told=""))) == []
    assert opinion_in_words(replace(one, opinion=None)) == []


def test_only_notes_are_suspicions() -> None:
    doubted = finding(("a",), message="m", severity=Severity.NOTE, opinion=opinion(Decision.REFUTED))
    confirmed = replace(doubted, severity=Severity.ERROR, opinion=opinion(Decision.CONFIRMED))
    found = report(findings=(confirmed, doubted, replace(doubted, opinion=None)))
    assert suspicions_in_words(found) == ["GC201 m; trained: said *so*"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("severity", [Severity.ERROR, Severity.NOTE])
def test_every_format_tells_how_a_suspicion_was_decided(name: str, severity: Severity) -> None:
    one = finding(("a",), severity=severity, opinion=opinion(Decision.UNDECIDED, told="trained for naught"))
    made = report(findings=(one,), exit_code=int(severity is Severity.ERROR), status=Status.ILL)
    quiet = severity is Severity.NOTE and name in ("github", "junit")  # these tell nothing of what passes
    assert ("trained for naught" in render(made, name, Style(width=200))) is not quiet


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (SHARES[0], "-6.1 decades in 10 sigmoid slopes of `(Deep)`, deep_sigmoid.py:14"),
        (SHARES[2], "-0.9 decades on the way that other layers share with it"),
        (SHARES[3], "+0.2 decades in mse_loss of `(Deep)`"),
        (SHARES[4], "-0.3 decades elsewhere"),
    ],
)
def test_a_share_is_told_in_decades_by_what_where_and_line(share: Share, words: str) -> None:
    assert share_in_words(share) == words
