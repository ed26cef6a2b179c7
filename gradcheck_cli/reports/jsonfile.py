"""The JSON report: strict JSON with the fields of the records, and its way back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

from gradcheck_cli.errors import ReportError
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.reports.decode import WrongShape, decode

SCHEMA = "gradcheck-report/1"
SUITE_SCHEMA = "gradcheck-suite/1"
_AGAIN = "write it again with `gradcheck check MODEL --output json=PATH`"


def report_to_json(report: Report) -> str:
    """The report as strict JSON in pure ASCII, so that any stream can take it."""
    return json.dumps(report_to_dict(report), indent=2, allow_nan=False) + "\n"


def report_to_dict(report: Report) -> dict[str, Any]:
    """The report as plain JSON values: floats of 7 significant digits, non-finite ones as strings."""
    written: dict[str, Any] = _plain(report)
    return {"schema": SCHEMA, **written}


def suite_to_json(suite: SuiteReport) -> str:
    """The suite as strict JSON: its checks as reports, and what they come to."""
    checks = [report_to_dict(report) for report in suite.checks]
    outer = {"schema": SUITE_SCHEMA, **_plain(replace(suite, checks=())), "checks": checks}
    return json.dumps(outer, indent=2, allow_nan=False) + "\n"


def report_from_dict(data: object, where: str = "the report") -> Report:
    """The report that `report_to_dict` wrote.

    Args:
        data: What a JSON parser returned.
        where: The file's name for the error message.

    Raises:
        ReportError: Another schema, a missing field or a value of the wrong type.
    """
    if not isinstance(data, dict):
        raise ReportError(f"{where}: a report is a JSON object, this is {_kind(data)}", hint=_AGAIN)
    _check_schema(data.get("schema"), where)
    try:
        report: Report = decode(Report, data, "")
    except WrongShape as error:
        raise ReportError(f"{where}: {error}", hint=_AGAIN) from error
    return report


def read_report(path: str | Path) -> Report | SuiteReport:
    """The report, or the suite of them, in the JSON file at `path`.

    Raises:
        ReportError: The file cannot be read, is not strict JSON, or is not a report.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        data = json.loads(text, parse_constant=_refuse)
    except OSError as error:
        hint = "check the path"
        raise ReportError(f"{path}: cannot be read: {error.strerror or error}", hint=hint) from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ReportError(f"{path}: truncated or corrupt JSON at {place}: {error.msg}", hint=_AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path}: not a JSON report: {error}", hint=_AGAIN) from error
    if isinstance(data, dict) and data.get("schema") == SUITE_SCHEMA:
        return _suite_from_dict(data, str(path))
    return report_from_dict(data, str(path))


def _suite_from_dict(data: dict[str, Any], where: str) -> SuiteReport:
    checks = data.get("checks")
    if not isinstance(checks, list):
        raise ReportError(f'{where}: "checks" should be a list of reports', hint=_AGAIN)
    reports = tuple(report_from_dict(check, f"{where}: checks[{i}]") for i, check in enumerate(checks))
    try:
        suite: SuiteReport = decode(SuiteReport, {**data, "checks": []}, "")
    except WrongShape as error:
        raise ReportError(f"{where}: {error}", hint=_AGAIN) from error
    return replace(suite, checks=reports)


def _check_schema(schema: object, where: str) -> None:
    if schema == SCHEMA:
        return
    if schema == SUITE_SCHEMA:
        raise ReportError(f"{where}: holds a suite of reports, not one", hint='take one entry of its "checks"')
    if isinstance(schema, str) and schema.startswith("gradcheck-report/"):
        message = f'{where}: schema "{schema}" is not one that this version reads ({SCHEMA})'
        raise ReportError(message, hint="read it with the version of gradcheck that wrote it")
    raise ReportError(f'{where}: not a gradcheck report: "schema" should be "{SCHEMA}"', hint=_AGAIN)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f'{constant} is not JSON; gradcheck writes non-finite numbers as "nan", "inf", "-inf"')


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | bool | int) else str(value)


def _kind(value: object) -> str:
    names = {list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
