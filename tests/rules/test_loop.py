"""The table of faults of the loop: what every row promises."""

from __future__ import annotations

import re

import pytest

from gradcheck_cli.records.causes import CAUSES
from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.timeline import AlarmKind, Judged, Outcome, Raised
from gradcheck_cli.remedies import remedies_for
from gradcheck_cli.rules import ALARMS, LOOP, RULES, AlarmRule, alarm_finding, explaining
from gradcheck_cli.rules.loop import BY_FAULT
from tests.timeline.sessions import BACKWARD, exploding

EVERY_FAULT = pytest.mark.parametrize("row", LOOP, ids=lambda row: row.code)


def test_no_code_or_name_is_another_rules() -> None:
    others = [*RULES, *ALARMS]
    assert [row.code for row in LOOP] == sorted(BY_FAULT)
    assert not BY_FAULT.keys() & {rule.code for rule in others}
    assert not {row.name for row in LOOP} & {rule.name for rule in others}


@EVERY_FAULT
def test_it_is_explained_and_every_cause_has_something_to_try(row: AlarmRule) -> None:
    assert re.fullmatch(r"GC6[5-8]\d", row.code)
    assert (row.kind, row.family) == (AlarmKind.LOOP, Family.DYNAMICS)
    first, _, rest = row.explanation.partition("\n")
    assert first.endswith(".") and len(rest) > 100
    assert max(map(len, row.explanation.splitlines())) <= 110
    assert row.causes and all(not CAUSES[cause].note and remedies_for(cause) for cause in row.causes)


@EVERY_FAULT
def test_what_it_says_is_what_was_seen(row: AlarmRule) -> None:
    raised = Raised(kind=AlarmKind.LOOP, step=4, optimizer=0, message="m", evidence={"code": row.code, "since": 2})
    judged = Judged(raised=raised, last_step=9, outcome=Outcome.CONFIRMED, finding=True)
    told = alarm_finding(judged, (exploding(),), BACKWARD, "why")
    assert (told.code, told.rule, told.cause) == (row.code, row.name, row.causes[0])
    assert told.severity is row.severity and row.severity is not Severity.NOTE
    assert (told.message, told.source, told.evidence["since"]) == ("m", BACKWARD, 2)


def test_nothing_of_a_step_explains_what_the_calls_show() -> None:
    assert explaining(AlarmKind.LOOP, (exploding(),)) == []
