"""The catalogue: words that read well, sources, and trials that each row says there are."""

from __future__ import annotations

import re

import pytest

from gradcheck_cli.records.causes import CAUSES
from gradcheck_cli.remedies import BY_CAUSE, ROWS, Tried, remedies_for
from gradcheck_cli.trials.habits import HABITS
from gradcheck_cli.trials.plans import PLANS

REMEDIES = [row.remedy for row in ROWS.values()]


@pytest.mark.parametrize("cause", BY_CAUSE)
def test_every_cause_has_a_remedy(cause: str) -> None:
    found = remedies_for(cause)
    assert found
    assert len({remedy.id for remedy in found}) == len(found)


@pytest.mark.parametrize("cause", [cause.name for cause in CAUSES.values() if cause.note])
def test_a_note_has_no_remedy(cause: str) -> None:
    assert remedies_for(cause) == ()


def test_each_row_says_how_its_remedy_is_tried() -> None:
    assert {name for name, row in ROWS.items() if row.tried is Tried.EDIT} == set(PLANS)
    assert {name for name, row in ROWS.items() if row.tried is Tried.TRAINING} == set(HABITS)


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.id)
def test_a_remedy_reads_well(remedy) -> None:
    assert len(remedy.title) <= 50
    assert remedy.detail.endswith(".")
    assert len(remedy.detail) <= 240
    assert "\n" not in remedy.code
    assert remedy.unless and not remedy.unless.endswith(".") and remedy.unless[0].islower()


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.id)
def test_a_remedy_has_a_source(remedy) -> None:
    year, page = re.search(r"\b(19|20)\d\d\b", remedy.source), re.search(r"https://\S+\Z", remedy.source)
    assert year or page
    assert all(re.fullmatch(r"\d{4}\.\d{4,5}", number) for number in re.findall(r"arXiv:([\d.]+\d)", remedy.source))
