"""Every rule of `check` fires on a model of the corpus, as it is recorded: what a rule is for can be shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gradcheck_cli.rules import RULES, Rule
from tests.corpus import CASES
from tests.corpus.checked import checked
from tests.corpus.verdicts import RECORDED

WITHOUT_A_MODEL = {
    "GC611": "a threshold needs the norms of four batches, and a case has one",
    "GC620": "gradients drift from those of a baseline, which is a file of an earlier check",
}
"""Rules that no single model and batch can show, with the reason; their own tests make what they need."""
_VERDICTS: dict[str, Any] = json.loads(RECORDED.read_text(encoding="ascii"))


def shown_by(code: str) -> list[str]:
    """The cases in whose recorded verdict a rule is, those in which it is alone first."""
    found = {case.name: [f["code"] for f in _VERDICTS[f"corpus/{case.name}"]] for case in CASES}
    return sorted((name for name, codes in found.items() if code in codes), key=lambda name: len(found[name]))


@pytest.mark.parametrize("rule", [r for r in RULES if r.code not in WITHOUT_A_MODEL], ids=lambda rule: rule.code)
def test_every_rule_fires_on_a_model(rule: Rule) -> None:
    names = shown_by(rule.code)
    assert names, f"no case of the corpus shows {rule.code}"
    case = next(case for case in CASES if case.name == names[0])
    assert rule.code in [finding.code for finding in checked(case).findings]


@pytest.mark.parametrize("code", WITHOUT_A_MODEL)
def test_what_no_model_shows_is_no_longer_listed_once_one_does(code: str) -> None:
    assert shown_by(code) == []
