"""The report: whether it is well, and that of a check that could not be made."""

from __future__ import annotations

import dataclasses

import pytest

from gradcheck_cli import __version__
from gradcheck_cli.errors import GradcheckError, ProbeError, TargetError, UsageError
from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.report import Trial, failed_report


@pytest.mark.parametrize("error", [UsageError("no such file"), TargetError("no model"), ProbeError("no gradient")])
def test_a_check_that_could_not_be_made_says_why_and_how_to_end(error: GradcheckError) -> None:
    report = failed_report("net.py", error)
    assert (report.name, report.status, report.error) == ("net.py", Status.FAILED, str(error))
    assert report.exit_code == error.exit_code == 2
    assert (report.ok, report.loss, report.findings, report.layers) == (False, None, (), ())
    assert report.versions["gradcheck"] == __version__


@pytest.mark.parametrize(("exit_code", "ok"), [(0, True), (1, False), (2, False), (130, False)])
def test_a_report_is_ok_by_its_exit_code_alone(exit_code: int, ok: bool) -> None:
    report = dataclasses.replace(failed_report("net.py", UsageError("")), exit_code=exit_code)
    assert report.ok is ok


def test_what_was_not_tried_has_no_numbers() -> None:
    trial = Trial()
    assert trial.outcome == "not-tried"
    assert {trial.before, trial.after, trial.loss_with, trial.loss_without} == {None}
