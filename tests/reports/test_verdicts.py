"""What a report comes to, in a word and in a sentence."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.records.choices import Severity, Status
from gradcheck_cli.records.report import Waived
from gradcheck_cli.reports.verdicts import (
    CheckVerdict,
    by_severity,
    counts_in_words,
    duration,
    facts,
    outcome,
    seconds_of,
    serious,
    severity_in_words,
    verdict,
    waived_in_words,
    worst_in_words,
)
from tests.reports.examples import SUITES, failed, finding, healthy, layer, nan, report, suite_of, unknown, vanishing


@pytest.mark.parametrize(
    ("status", "code", "word"),
    [
        (Status.HEALTHY, 0, CheckVerdict.OK),
        (Status.UNKNOWN, 0, CheckVerdict.UNKNOWN),
        (Status.ILL, 0, CheckVerdict.ALLOWED),
        (Status.FAILED, 0, CheckVerdict.ALLOWED),
        (Status.ILL, 1, CheckVerdict.ILL),
        (Status.FAILED, 2, CheckVerdict.FAILED),
        (Status.HEALTHY, 1, CheckVerdict.UNMET),
        (Status.UNKNOWN, 1, CheckVerdict.UNMET),
    ],
)
def test_the_verdict_is_told_by_the_status_and_the_exit_code(status: Status, code: int, word: CheckVerdict) -> None:
    assert verdict(report(status=status, exit_code=code)) is word


ALL = [
    finding((f"{severity.value}{known}",), severity=severity, known=known)
    for severity, known in product(Severity, (True, False, None))
]


@given(order=st.permutations(ALL))
def test_errors_come_first_and_what_is_known_last(order: list) -> None:
    ordered = by_severity(tuple(order))
    assert sorted(map(id, ordered)) == sorted(map(id, order))
    ranks = [(bool(one.known), ("error", "warning", "note").index(one.severity.value)) for one in ordered]
    assert ranks == sorted(ranks)
    for one, other in product(ordered, ordered):  # otherwise in the order of the report
        if one.severity is other.severity and bool(one.known) is bool(other.known):
            assert (ordered.index(one) < ordered.index(other)) is (order.index(one) < order.index(other))


def test_notes_are_not_serious() -> None:
    found = serious(report(findings=tuple(ALL)))
    assert [one.severity for one in found] == [
        *[Severity.ERROR] * 2,
        *[Severity.WARNING] * 2,
        Severity.ERROR,
        Severity.WARNING,
    ]


def test_what_is_known_is_told_with_its_severity() -> None:
    assert [severity_in_words(finding(("a",), known=known)) for known in (None, False, True)] == [
        "error",
        "error",
        "error (known)",
    ]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (healthy(), ""),
        (vanishing(), f"GC201 {vanishing().findings[0].message}"),
        (nan(), "GC101 the loss is NaN: log puts out Inf at 3 of 640 elements, and is the first op to do so"),
        (
            failed(),
            "the model raised RuntimeError: mat1 and mat2 shapes cannot be multiplied (64x32 and 64x10)",
        ),
        (unknown(), "no layer got a gradient that can be judged"),
        (report(exit_code=1, notes=("x", "expected, but not found: `GC201`")), "expected, but not found: `GC201`"),
        (report(exit_code=1), "a finding that it was to report is missing"),
        (report(findings=(finding(("a",), known=True, message="m"),), status=Status.ILL), "known: GC201 m"),
    ],
)
def test_the_worst_is_told_in_a_line(made, words: str) -> None:
    assert worst_in_words(made) == words
    assert "\n" not in worst_in_words(made)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0 s"),
        (0.84, "0.8 s"),
        (9.94, "9.9 s"),
        (10.0, "10 s"),
        (72.4, "72 s"),
        (599.0, "599 s"),
        (600.0, "10 min"),
        (7260.0, "121 min"),
    ],
)
def test_a_duration_has_a_unit_that_suits_it(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_suite_is_counted_by_its_verdicts_from_the_gravest() -> None:
    assert counts_in_words(SUITES["mixed"]()) == "7 checks: 1 failed, 2 ill, 1 unmet, 1 allowed, 1 unknown, 1 ok"
    assert counts_in_words(SUITES["well"]()) == "3 checks: 1 unknown, 2 ok"
    assert counts_in_words(suite_of(healthy())) == "1 check: 1 ok"
    assert counts_in_words(suite_of()) == "no check"


@given(counts=st.lists(st.sampled_from([healthy, vanishing, failed, unknown]), max_size=6))
def test_the_counts_add_up(counts: list) -> None:
    words = counts_in_words(suite_of(*(make() for make in counts)))
    numbers = [int(word) for word in words.replace(",", "").split() if word.isdigit()]
    assert sum(numbers[1:]) == len(counts)
    assert not counts or numbers[0] == len(counts)


def test_facts_are_what_is_known() -> None:
    one = report(layers=(layer("a", -1.0),), loss=2.3058123, target={"batch_size": 64})
    assert facts(one) == ["1 layer", "loss 2.306 (guessed: cross_entropy)", "batch 64"]
    assert facts(replace(one, loss_source="")) == ["1 layer", "loss 2.306", "batch 64"]
    assert facts(report(loss=None, target={"batch_size": None})) == []
    assert facts(report(loss=float("nan"), loss_source="", target={})) == ["loss nan"]


def test_the_outcome_ends_with_the_exit_code_and_tells_what_is_hidden() -> None:
    bare = report(loss=None, target={})
    assert outcome(bare) == ["exit 0"]
    assert outcome(replace(bare, hidden=2, exit_code=1)) == ["2 findings not shown", "exit 1"]
    assert outcome(replace(bare, hidden=1)) == ["1 finding not shown", "exit 0"]


def test_wall_time_is_that_of_the_whole_check_if_it_was_taken() -> None:
    assert seconds_of(healthy()) == 0.6
    assert seconds_of(report(seconds={"load": 1.0})) is None


def test_what_is_ignored_is_told_with_its_reason() -> None:
    waived = Waived(code="GC401", rule="cut-graph", layers=("pos",), reason="a fixed table")
    assert waived_in_words(waived) == "ignored GC401 `pos`: a fixed table"
