"""The documents that reports, suites and runs are saved as: which schema each names, and their way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from gradcheck_cli.errors import ReportError
from gradcheck_cli.records.codec import DIGITS, WrongShape, decode, encode
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.records.timeline import Timeline
from gradcheck_cli.records.waiving import waiver_of

SCHEMA = "gradcheck-report/1"
SUITE_SCHEMA = "gradcheck-suite/1"
RUN_SCHEMA = "gradcheck-run/1"
AGAIN = "write it again with `gradcheck check MODEL --output json=PATH`"
"""What helps where a saved report cannot be read."""
_Record = TypeVar("_Record", Report, SuiteReport, Timeline)


def report_to_dict(report: Report, *, exact: bool = False) -> dict[str, Any]:
    """The report as plain JSON values: floats of 7 significant digits unless `exact`, non-finite ones as strings.

    Each finding also gets `waiver`, the line of YAML that leaves it out.
    """
    values = encode(report, digits=None if exact else DIGITS)
    for entry, finding in zip(values["findings"], report.findings, strict=True):
        entry["waiver"] = waiver_of(finding, report)
    return {"schema": SCHEMA, **values}


def suite_to_dict(suite: SuiteReport) -> dict[str, Any]:
    """The suite as plain JSON values: its own fields around the reports of its checks."""
    checks = [report_to_dict(report) for report in suite.checks]
    return {"schema": SUITE_SCHEMA, **encode(suite, digits=DIGITS), "checks": checks}


def run_to_dict(run: Timeline) -> dict[str, Any]:
    """The run as plain JSON values; the reports of its alarms and diagnoses are documents of their own."""
    values = encode(run, digits=DIGITS)
    for entry, report in zip((*values["alarms"], *values["diagnoses"]), run.reports, strict=True):
        entry["report"] = report_to_dict(report)
    return {"schema": RUN_SCHEMA, **values}


def report_from_dict(data: object, where: str = "the report") -> Report:
    """The report that `report_to_dict` wrote.

    Args:
        data: What a JSON parser returned.
        where: The file's name for the error message.

    Raises:
        ReportError: Another schema, a missing field or a value of the wrong type.
    """
    if not isinstance(data, dict):
        raise ReportError(f"{where}: a report is a JSON object, this is {_kind(data)}", hint=AGAIN)
    _check_schema(data.get("schema"), where)
    return _decoded(Report, data, where)


def suite_from_dict(data: Mapping[str, Any], where: str = "the suite") -> SuiteReport:
    """The suite that `suite_to_dict` wrote.

    Raises:
        ReportError: A missing field or a value of the wrong type.
    """
    return _decoded(SuiteReport, data, where)


def run_from_dict(data: Mapping[str, Any], where: str = "the run") -> Timeline:
    """The run that `run_to_dict` wrote.

    Raises:
        ReportError: A missing field or a value of the wrong type.
    """
    return _decoded(Timeline, data, where)


def saved_from_dict(data: object, where: str) -> Report | SuiteReport | Timeline:
    """The report, the suite or the run that a document holds, by its schema.

    Raises:
        ReportError: It is none of them.
    """
    if isinstance(data, dict) and data.get("schema") == RUN_SCHEMA:
        return run_from_dict(data, where)
    if isinstance(data, dict) and data.get("schema") == SUITE_SCHEMA:
        return suite_from_dict(data, where)
    return report_from_dict(data, where)


def _decoded(kind: type[_Record], data: Mapping[str, Any], where: str) -> _Record:
    try:
        record: _Record = decode(kind, data)
    except WrongShape as error:
        raise ReportError(f"{where}: {error}", hint=AGAIN) from error
    return record


def _check_schema(schema: object, where: str) -> None:
    if schema == SCHEMA:
        return
    if schema == SUITE_SCHEMA:
        raise ReportError(f"{where}: holds a suite of reports, not one", hint='take one entry of its "checks"')
    if schema == RUN_SCHEMA:
        hint = 'take the "report" of one of its "alarms" or "diagnoses"'
        raise ReportError(f"{where}: holds a run, not one report", hint=hint)
    if isinstance(schema, str) and schema.startswith("gradcheck-report/"):
        message = f'{where}: schema "{schema}" is not one that this version reads ({SCHEMA})'
        raise ReportError(message, hint="read it with the version of gradcheck that wrote it")
    raise ReportError(f'{where}: not a gradcheck report: "schema" should be "{SCHEMA}"', hint=AGAIN)


def _kind(value: object) -> str:
    names = {list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
