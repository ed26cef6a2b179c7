"""Saved reports and suites: their schemas, and that those of earlier versions still open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradcheck_cli.errors import ReportError
from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.codec import strict_json
from gradcheck_cli.records.documents import (
    report_from_dict,
    report_to_dict,
    saved_from_dict,
    suite_from_dict,
    suite_to_dict,
)
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.reports import FORMATS, render
from tests.reports.examples import SUITES, vanishing

HERE = Path(__file__).parent


def saved(name: str) -> dict[str, object]:
    document: dict[str, object] = strict_json((HERE / name).read_text(encoding="ascii"))
    return document


def test_a_report_of_version_0_1_0_still_opens() -> None:
    report = saved_from_dict(saved("report-0.1.0.json"), "report-0.1.0.json")
    assert isinstance(report, Report)
    assert report.versions["gradcheck"] == "0.1.0"
    assert [(f.code, f.cause) for f in report.findings] == [("GC201", "saturating-activation")]
    assert any(remedy.trial.outcome == "fixed" for remedy in report.findings[0].remedies)
    assert all(render(report, format) for format in FORMATS)


def test_a_suite_of_version_0_1_0_still_opens() -> None:
    suite = saved_from_dict(saved("suite-0.1.0.json"), "suite-0.1.0.json")
    assert isinstance(suite, SuiteReport)
    assert [check.status for check in suite.checks] == [Status.FAILED, Status.ILL, Status.HEALTHY]
    assert all(render(suite, format) for format in FORMATS)


def test_one_report_of_a_suite_is_asked_for_by_name() -> None:
    with pytest.raises(ReportError, match="holds a suite of reports, not one"):
        report_from_dict(suite_to_dict(SUITES["mixed"]()))


def test_exact_keeps_every_bit_and_a_document_seven_digits() -> None:
    report = vanishing()
    exact = report_to_dict(report, exact=True)
    assert report_from_dict(json.loads(json.dumps(exact))) == report
    assert report_to_dict(report)["loss"] == pytest.approx(report.loss, rel=1e-6)


def test_a_suite_comes_back() -> None:
    document = suite_to_dict(SUITES["mixed"]())
    assert suite_to_dict(suite_from_dict(document)) == document
