from __future__ import annotations

import re

import pytest

from gradcheck_cli.remedies import each_once, remedies_for
from gradcheck_cli.rules import EVERY_RULE


def test_without_a_code_all_rules_are_listed(gradcheck) -> None:
    ended = gradcheck("rule")
    assert ended.code == 0
    assert all(rule.code in ended.out and rule.name in ended.out for rule in EVERY_RULE)
    assert max(map(len, ended.out.splitlines())) <= 100


@pytest.mark.parametrize("rule", EVERY_RULE, ids=lambda rule: rule.code)
def test_every_rule_is_explained_with_causes_and_remedies(gradcheck, rule) -> None:
    ended = gradcheck("rule", rule.code, "--verbose")
    assert ended.code == 0
    assert ended.out.startswith(f"{rule.code} {rule.name}")
    assert f"--ignore {rule.code}" in ended.out
    for cause in rule.causes:
        assert f"\n  {cause}" in ended.out
        assert all(f". {remedy.title}\n" in ended.out for remedy in remedies_for(cause))
    numbers = [int(place) for place in re.findall(r"^ *(\d+)\. ", ended.out, re.MULTILINE)]
    assert numbers == list(range(1, len(each_once(rule.causes)) + 1))  # each once


@pytest.mark.parametrize("rule", EVERY_RULE, ids=lambda rule: rule.code)
def test_what_a_rule_means_and_what_to_do_first_fit_a_screen(gradcheck, rule) -> None:
    shown = gradcheck("rule", rule.code).out
    assert shown.startswith(f"{rule.code} {rule.name}") and rule.explanation in shown
    assert shown.count("\n") <= 36 and max(map(len, shown.splitlines())) <= 120
    assert all(cause in shown for cause in rule.causes) and f"--ignore {rule.code}" in shown
    first = remedies_for(rule.causes[0])
    assert not first or first[0].title in shown
    assert ("--verbose" in shown) == (shown != gradcheck("rule", rule.code, "-v").out)


@pytest.mark.parametrize("name", ["gc201", "vanishing-depth", "VANISHING-DEPTH"])
def test_case_and_names_are_understood(gradcheck, name: str) -> None:
    assert gradcheck("rule", name).out == gradcheck("rule", "GC201").out


def test_a_prefix_lists_its_rules(gradcheck) -> None:
    ended = gradcheck("rule", "GC1")
    assert "GC101" in ended.out
    assert "GC201" not in ended.out


@pytest.mark.parametrize(
    ("code", "message"), [("vanishing-dept", "did you mean `vanishing-depth`?"), ("\x1b[31m", r"\x1b")]
)
def test_an_unknown_rule(gradcheck, code: str, message: str) -> None:
    ended = gradcheck("rule", code)
    assert ended.code == 2
    assert ended.out == ""
    assert message in ended.err
    assert "\x1b" not in ended.err


def test_the_numbers_that_can_be_moved_are_told(gradcheck) -> None:
    told = gradcheck("rule", "GC403", "--verbose").out
    assert "  dead_share = 0.95: Share of units at zero over the whole batch.\n      Measured (python -m " in told
    assert "\nNumbers that stay as they are:\n  dead_samples = 16: " in told
    assert "Thresholds" not in gradcheck("rule", "GC101").out
