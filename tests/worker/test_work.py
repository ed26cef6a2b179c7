"""What a check tells of itself on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradcheck_cli.pipeline import run_check
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.spec import CheckSpec
from tests.hostile.processes import HEALTHY, ILL


@pytest.mark.parametrize(("text", "budget"), [(ILL, 30), (ILL, 0), (HEALTHY, 30)])
def test_the_diagnosis_is_told_before_a_remedy_is_tried_and_after_each(tmp_path: Path, text: str, budget: int) -> None:
    (tmp_path / "m.py").write_text(text)
    told: list[Report] = []
    report = run_check(CheckSpec(model=str(tmp_path / "m.py"), try_budget=budget), on_diagnosed=told.append)
    remedies = sum(len(finding.remedies) for finding in report.findings)
    if text == ILL and budget:
        assert len(told) >= 1 + remedies, "what a trial finds nothing to act on for is left out in the end"
    else:
        assert not told
    assert all([f.code for f in early.findings] == [f.code for f in report.findings] for early in told)
    for early in told[:1]:
        assert all(remedy.trial.outcome == "not-tried" for f in early.findings for remedy in f.remedies)
    for late in told[-1:]:
        assert any(remedy.trial.outcome != "not-tried" for f in late.findings for remedy in f.remedies)
