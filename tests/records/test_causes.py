"""Causes: a closed list that rules and remedies keep to."""

from __future__ import annotations

import re

import pytest

from gradcheck_cli.records.causes import CAUSES, Cause
from gradcheck_cli.records.choices import Severity
from gradcheck_cli.remedies import BY_CAUSE, ROWS
from gradcheck_cli.rules import EVERY_RULE


@pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: cause.name)
def test_a_cause_reads_well(cause: Cause) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", cause.name)
    assert cause.meaning.endswith(".") and len(cause.meaning) <= 110


@pytest.mark.parametrize("rule", EVERY_RULE, ids=lambda rule: rule.code)
def test_a_rule_names_causes_of_the_list(rule) -> None:
    assert set(rule.causes) <= set(CAUSES)
    if rule.severity is Severity.NOTE:
        assert all(CAUSES[cause].note for cause in rule.causes)


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.remedy.id)
def test_a_remedy_serves_causes_of_the_list_that_are_no_notes(row) -> None:
    assert row.causes
    assert not any(CAUSES[cause].note for cause in row.causes)


@pytest.mark.parametrize("cause", BY_CAUSE)
def test_the_remedies_of_a_cause_have_a_place_each(cause: str) -> None:
    places = sorted(row.causes[cause] for row in ROWS.values() if cause in row.causes)
    assert places == list(range(1, len(places) + 1))


def test_every_illness_that_a_rule_names_has_a_remedy() -> None:
    named = {cause for rule in EVERY_RULE for cause in rule.causes if not CAUSES[cause].note}
    assert named == set(BY_CAUSE)
