"""The table of alarms: what every row promises, and what an alarm itself says."""

from __future__ import annotations

import re

import pytest

from gradcheck_cli.records.causes import CAUSES
from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.timeline import AlarmKind, Outcome, Raised
from gradcheck_cli.rules import ALARMS, RULES, AlarmRule
from gradcheck_cli.rules.alarms import BY_KIND, alarm_finding, because, explaining, stands
from tests.timeline.sessions import BACKWARD, NAN, SPIKE, exploding, finding, judged, suspicion

EVERY_ALARM = pytest.mark.parametrize("row", ALARMS, ids=lambda row: row.code)


def test_every_kind_has_a_row_and_no_code_or_name_is_a_rules() -> None:
    assert set(BY_KIND) == set(AlarmKind) - {AlarmKind.LOOP}
    assert [row.code for row in ALARMS] == sorted({row.code for row in ALARMS})
    assert not {row.code for row in ALARMS} & {rule.code for rule in RULES}
    assert not {row.name for row in ALARMS} & {rule.name for rule in RULES}


@EVERY_ALARM
def test_its_code_is_of_a_run_and_its_name_is_the_kinds(row: AlarmRule) -> None:
    assert re.fullmatch(r"GC6[34]\d", row.code)
    assert row.name == row.kind.value
    assert row.family is (Family.NONFINITE if row.kind is AlarmKind.NONFINITE else Family.DYNAMICS)


@EVERY_ALARM
def test_it_is_explained_and_names_causes_of_the_list(row: AlarmRule) -> None:
    first, _, rest = row.explanation.partition("\n")
    assert first.endswith(".") and len(rest) > 100
    assert max(map(len, row.explanation.splitlines())) <= 110
    assert row.causes and not any(CAUSES[cause].note for cause in row.causes)


@pytest.mark.parametrize(
    ("outcome", "open_finding", "stands_"),
    [
        (Outcome.CONFIRMED, False, True),
        (Outcome.OPEN, True, True),
        (Outcome.OPEN, False, False),
        (Outcome.RECOVERED, True, False),
    ],
)
def test_what_stands(outcome: Outcome, open_finding: bool, stands_: bool) -> None:
    each = judged(SPIKE, outcome, finding=open_finding)
    assert stands(each) is stands_
    severity = alarm_finding(each, (), BACKWARD, "").severity
    assert severity is (Severity.ERROR if stands_ else Severity.NOTE)


def test_an_overflow_that_goes_on_is_a_warning() -> None:
    each = judged(NAN)
    overflow = judged(type(NAN)(kind=AlarmKind.OVERFLOW, step=1, optimizer=0, message="m", evidence={}))
    assert alarm_finding(each, (), None, "").severity is Severity.ERROR
    assert alarm_finding(overflow, (), None, "").severity is Severity.WARNING


def test_what_an_alarm_says_is_what_was_seen() -> None:
    told = alarm_finding(judged(SPIKE), (exploding(cause="recurrent-gain"),), BACKWARD, "why")
    assert (told.code, told.rule, told.cause, told.layers) == ("GC632", "grad-spike", "recurrent-gain", ())
    assert (told.message, told.evidence, told.source, told.why) == (SPIKE.message, SPIKE.evidence, BACKWARD, "why")
    assert told.remedies == ()


def test_only_what_makes_such_an_alarm_explains_it() -> None:
    dead = finding(family=Family.NO_GRADIENT, cause="dead-relu")
    unknown = exploding(cause="unknown")
    note = exploding(severity=Severity.NOTE)
    assert explaining(AlarmKind.GRAD_SPIKE, (dead, unknown, note)) == []
    assert explaining(AlarmKind.GRAD_SPIKE, (dead, suspicion(), exploding())) == [suspicion(), exploding()]
    range_ = finding(family=Family.PRECISION, cause="fp16-overflow")
    assert explaining(AlarmKind.OVERFLOW, (range_,)) == [range_]
    assert explaining(AlarmKind.LOSS_SPIKE, (range_,)) == []


def test_what_the_runs_course_names_comes_before_what_a_later_step_shows() -> None:
    stuck = Raised(kind=AlarmKind.STUCK, step=100, optimizer=0, message="m", evidence={"cause": "weight-decay"})
    vanished = exploding(cause="small-init")
    assert because(stuck, (vanished,)) == []
    assert alarm_finding(judged(stuck), (vanished,), None, "").cause == "weight-decay"
    same = exploding(cause="weight-decay")
    assert because(stuck, (vanished, same)) == [same]
    unknown = Raised(kind=AlarmKind.STUCK, step=100, optimizer=0, message="m", evidence={})
    assert because(unknown, (vanished,)) == [vanished]
