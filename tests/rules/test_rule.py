"""What a row says of its rule."""

from __future__ import annotations

import pytest

from gradcheck_cli.evidence import Evidence
from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.rules.rule import FAMILIES, Diagnoses, Rule


def finds_nothing(evidence: Evidence) -> Diagnoses:
    """A layer is ill.

    It says why,
      with what is indented.
    """
    yield from ()


def rule(code: str) -> Rule:
    return Rule(code=code, name="a-rule", severity=Severity.ERROR, causes=("depth",), check=finds_nothing)


@pytest.mark.parametrize(
    ("code", "family"),
    [
        ("GC101", Family.NONFINITE),
        ("GC299", Family.VANISHING),
        ("GC3", Family.EXPLODING),
        ("GC406", Family.NO_GRADIENT),
        ("GC500", Family.PRECISION),
        ("GC620", Family.DYNAMICS),
    ],
)
def test_the_first_digit_of_a_code_is_its_family(code: str, family: Family) -> None:
    assert rule(code).family is family


def test_every_family_has_a_digit() -> None:
    assert set(FAMILIES.values()) == set(Family)


def test_the_docstring_is_the_explanation_without_its_indentation() -> None:
    assert rule("GC201").explanation == "A layer is ill.\n\nIt says why,\n  with what is indented."


def test_a_rule_is_neither_tried_nor_silent_unless_its_row_says_so() -> None:
    plain = rule("GC201")
    assert (plain.triable, plain.silences, plain.reading) == (False, (), None)
