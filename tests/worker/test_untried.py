"""A diagnosis stands, whatever became of the trials that followed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gradcheck_cli.records.report import Report
from gradcheck_cli.worker.untried import unfinished
from tests.reports.examples import healthy, nan, vanishing

WHY = "timed out after 3 s"


@pytest.mark.parametrize(
    ("stage", "which"),
    [
        ("trying: ReLU in place of sigmoid", "trial of `ReLU in place of sigmoid`"),
        ("trying: trying: twice", "trial of `trying: twice`"),
        ("judging", "trying of remedies"),
        ("", "trying of remedies"),
    ],
)
def test_the_note_names_the_trial_if_there_was_one(stage: str, which: str) -> None:
    note = unfinished(vanishing(), stage, WHY).notes[-1]
    assert note == f"the {which} was cut short: {WHY}; the diagnosis stands without it"


@pytest.mark.parametrize("make", [healthy, vanishing, nan])
def test_all_else_of_the_report_is_as_it_was(make: Callable[[], Report]) -> None:
    before = replace(make(), notes=("a note", "another"))
    after = unfinished(before, "trying: x", WHY)
    assert after.notes[:-1] == before.notes
    assert replace(after, notes=before.notes) == before


def test_a_note_is_one_line() -> None:
    note = unfinished(healthy(), "trying: a\nb", "it said\nno").notes[-1]
    assert "\n" not in note
    assert "trial of `a b` was cut short: it said no;" in note


def test_a_second_bad_end_is_told_too() -> None:
    twice = unfinished(unfinished(healthy(), "trying: a", "x"), "trying: b", "y")
    assert [note.split("`")[1] for note in twice.notes] == ["a", "b"]
