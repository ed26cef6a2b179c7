"""What a caller of the API says of a verdict is read as gradcheck.yaml would say it."""

from __future__ import annotations

from typing import Any

import pytest

from gradcheck_cli.config import given_policy
from gradcheck_cli.errors import UsageError
from gradcheck_cli.records.spec import RuleWaiver
from gradcheck_cli.records.thresholds import Thresholds


def test_whole_rules_waivers_and_numbers() -> None:
    ignore: dict[str, Any] = {"GC211": [], "GC201": {"layers": ["encoder.*"], "reason": "frozen soon"}}
    found = given_policy(ignore, {"GC206": {"saturated_share": 0.99}})
    assert found["ignore"] == ("GC211",)
    assert found["waivers"] == (RuleWaiver(rule="GC201", layers=("encoder.*",), reason="frozen soon"),)
    assert found["thresholds"] == Thresholds(saturated_share=0.99)


@pytest.mark.parametrize(
    ("ignore", "thresholds", "told"),
    [
        ({"GC999": []}, {}, "no rule is called `GC999`"),
        ({"GC201": ["encoder"]}, {}, "layers need a reason"),
        ({}, {"GC206": {"saturated": 1.0}}, "has no threshold `saturated`"),
        ({}, {"GC206": {"saturated_share": 7.0}}, "must lie between"),
    ],
)
def test_what_does_not_fit_is_told(ignore: Any, thresholds: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        given_policy(ignore, thresholds)
