"""The table of rules: what every row promises, and the order in which causes are looked for."""

from __future__ import annotations

import re

import pytest

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.choices import Severity
from gradcheck_cli.remedies import remedies_for
from gradcheck_cli.rules import BY_CODE, RULES, Rule
from tests.measurements import measurement, op, parameter

EVERY_RULE = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)


def test_codes_names_and_functions_are_unique() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert len({rule.check for rule in RULES}) == len(RULES)
    assert list(BY_CODE.values()) == list(RULES)


@EVERY_RULE
def test_its_code_begins_with_the_digit_of_its_family(rule: Rule) -> None:
    digits = {"nonfinite": 1, "vanishing": 2, "exploding": 3, "no-gradient": 4, "precision": 5, "dynamics": 6}
    assert re.fullmatch(rf"GC{digits[rule.family.value]}\d\d", rule.code)


@EVERY_RULE
def test_its_name_reads_as_words(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)


@EVERY_RULE
def test_it_is_explained(rule: Rule) -> None:
    first, _, rest = rule.explanation.partition("\n")
    assert first.endswith((".", ":"))
    assert rest.strip() or rule.severity is Severity.NOTE


@EVERY_RULE
def test_every_cause_of_an_illness_has_a_remedy(rule: Rule) -> None:
    if rule.severity is not Severity.NOTE:
        assert {cause for cause in rule.causes if not remedies_for(cause)} <= {"unknown"}
    assert len(set(rule.causes)) == len(rule.causes) > 0


@EVERY_RULE
def test_what_it_silences_are_codes_of_the_table(rule: Rule) -> None:
    assert [prefix for prefix in rule.silences if not any(code.startswith(prefix) for code in BY_CODE)] == []


@EVERY_RULE
def test_a_note_is_neither_tried_nor_does_it_silence(rule: Rule) -> None:
    if rule.severity is Severity.NOTE:
        assert (rule.triable, rule.silences) == (False, ())


def test_notes_are_looked_for_last() -> None:
    notes = [rule.severity is Severity.NOTE for rule in RULES]
    assert notes == sorted(notes)


def test_where_values_are_not_finite_nothing_else_is_looked_for() -> None:
    first = [rule for rule in RULES if rule.silences == ("GC",)]
    assert first == list(RULES[: len(first)])
    assert {rule.family.value for rule in first} == {"nonfinite"}


@EVERY_RULE
def test_a_healthy_model_of_one_layer_gives_it_nothing_to_find(rule: Rule) -> None:
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), module=-1),
        op("AddmmBackward0", 0.5, (2, 0.5)),
        op("AccumulateGrad", 0.5),
        parameters=[parameter("weight", op=2, grad=0.5)],
    )
    assert list(rule.check(gather(found))) == []
