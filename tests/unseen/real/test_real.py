"""The manifest of real scripts is whole, and its figures are those of its rows; the scripts themselves are not here."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from gradcheck_cli.records.timeline import AlarmKind
from gradcheck_cli.rules.alarms import ALARMS
from gradcheck_cli.rules.loop import LOOP
from tests.unseen.real.score import HERE, TIMES, cases, figures, found, standing

CODES = {rule.code for rule in (*ALARMS, *LOOP)}


@pytest.mark.parametrize("case", cases().values(), ids=lambda case: case["name"])
def test_every_script_is_named_exactly_and_has_two_faults(case: dict[str, Any]) -> None:
    assert re.fullmatch("[0-9a-f]{40}", case["commit"]) and re.fullmatch("[0-9a-f]{64}", case["sha256"])
    assert len(case["faults"]) == 2
    for _, old, new, expected in case["faults"].values():
        assert old != new
        assert set(expected.get("alarms", ())) <= {kind.value for kind in AlarmKind}
        assert set(expected.get("codes", ())) <= CODES
        assert expected.get("alarms") or expected.get("codes")


def test_the_figures_are_those_of_the_scripts() -> None:
    kept = json.loads((HERE / "figures.json").read_text(encoding="ascii"))
    for run in kept.values():
        assert run["figures"] == figures(run["scripts"])
        assert set(run["scripts"]) <= set(cases())
    assert len(kept["first"]["scripts"]) >= 12


def alarm(**fields: object) -> dict[str, object]:
    plain = {
        "kind": "loop",
        "step": 3,
        "verdict": "confirmed",
        "message": "never cleared",
        "report": {"findings": [{"code": "GC650", "cause": "missing-zero-grad", "severity": "error"}]},
    }
    return plain | fields


def test_an_alarm_counts_by_its_kind_or_by_its_rule() -> None:
    alarms = standing({"alarms": [alarm()]})
    assert found(alarms, {"codes": ["GC650"]}) and found(alarms, {"alarms": ["loop"]})
    assert not found(alarms, {"codes": ["GC651"], "alarms": ["nonfinite"]})


def test_what_recovered_or_is_open_without_a_finding_does_not_stand() -> None:
    assert not standing({"alarms": [alarm(verdict="recovered"), alarm(verdict="open", report={"findings": []})]})


def test_times_are_no_part_of_what_is_printed() -> None:
    one, two = "step 10 | loss 2.1 | step time 4.31ms", "step 10 | loss 2.1 | step time 17.0ms"
    assert TIMES.sub("", one) == TIMES.sub("", two)
    assert TIMES.sub("", "loss 2.1") != TIMES.sub("", "loss 2.2")
