"""Findings that are left out with a reason, and thresholds that are moved."""

from __future__ import annotations

from typing import Any

import pytest

from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.judging import Verdict
from gradcheck_cli.records.report import Finding, Waived
from gradcheck_cli.records.spec import RuleWaiver
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.records.trainingsettings import Training
from gradcheck_cli.rules.waivers import waive
from tests import measurements
from tests.rules.test_judge import chain


def finding(*layers: str, code: str = "GC401", rule: str = "graph-cut") -> Finding:
    return Finding(
        code=code,
        rule=rule,
        family=Family.NO_GRADIENT,
        severity=Severity.ERROR,
        layers=layers,
        cause="graph-cut",
        message="cut",
        evidence={},
    )


def reasons(found: Finding, *waivers: RuleWaiver) -> list[str]:
    kept, waived = waive((found,), waivers)
    assert (kept == (found,)) == (waived == ())
    return [each.reason for each in waived]


def waiver(*layers: str, rule: str = "GC401", reason: str = "why") -> RuleWaiver:
    return RuleWaiver(rule=rule, layers=layers, reason=reason)


@pytest.mark.parametrize("rule", ["GC401", "gc4", "graph-cut"])
def test_a_rule_is_named_by_code_prefix_or_name(rule: str) -> None:
    assert reasons(finding("encoder.pos"), waiver("encoder.*", rule=rule)) == ["why"]


def test_a_finding_stays_unless_all_its_layers_are_covered() -> None:
    found = finding("encoder.pos", "head")
    assert reasons(found, waiver("encoder.*")) == []
    assert reasons(found, waiver("encoder.*", "head")) == ["why"]
    assert reasons(found, waiver("encoder.*", reason="a"), waiver("head", reason="b")) == ["a; b"]
    assert reasons(found, waiver("encoder.*", reason="a"), waiver("head", rule="GC2")) == []
    assert reasons(found, waiver("Encoder.*", "HEAD")) == []


def test_no_layers_covers_everything_a_finding_without_layers_included() -> None:
    assert reasons(finding(), waiver()) == ["why"]
    assert reasons(finding("x"), waiver()) == ["why"]
    assert reasons(finding(), waiver("*")) == ["why"]
    assert reasons(finding(), waiver("x*")) == []


def judged(slopes: list[float], training: Training = Training(), **choice: Any) -> Verdict:  # noqa: B008
    return measurements.judged(chain(slopes), training, **choice)


VANISHING = [1e-3] * 6


def test_a_waived_finding_is_counted_named_and_marks_no_layer() -> None:
    (found,) = judged(VANISHING).findings
    verdict = judged(VANISHING, waivers=(RuleWaiver(rule=found.code, layers=("layers.*",), reason="a teacher"),))
    assert verdict.findings == ()
    assert verdict.hidden == 1
    assert verdict.waived == (Waived(code=found.code, rule=found.rule, layers=found.layers, reason="a teacher"),)
    assert {layer.status for layer in verdict.layers} == {"ok"}


def test_a_threshold_moves_the_verdict() -> None:
    (found,) = judged(VANISHING).findings
    assert found.code == "GC201"
    moved = judged(VANISHING, thresholds=Thresholds(slower_decades=30.0))
    assert "GC201" not in [each.code for each in moved.findings]
    usual = judged([0.5, 0.5], Training(lr=1.0))
    assert usual.findings == ()
    moved = judged([0.5, 0.5], Training(lr=1.0), thresholds=Thresholds(largest_update=0.001))
    assert [each.code for each in moved.findings] == ["GC601"]
