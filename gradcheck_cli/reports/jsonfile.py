"""The JSON report and the JSON suite: strict JSON with the fields of the records, and their way back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from gradcheck_cli.errors import ReportError
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.reports.comparison import Comparison
from gradcheck_cli.reports.decode import WrongShape, decode
from gradcheck_cli.reports.style import Style

SCHEMA = "gradcheck-report/1"
SUITE_SCHEMA = "gradcheck-suite/1"
COMPARISON_SCHEMA = "gradcheck-comparison/1"
_Record = TypeVar("_Record", Report, SuiteReport)
_AGAIN = "write it again with `gradcheck check MODEL --output json=PATH`"


def render_report(report: Report, style: Style) -> str:
    """The report as strict JSON in pure ASCII, so that any stream can take it; `style` changes nothing."""
    return _document(report_to_dict(report))


def render_suite(suite: SuiteReport, style: Style) -> str:
    """The suite as strict JSON in pure ASCII; `style` changes nothing."""
    return _document(suite_to_dict(suite))


def render_comparison(comparison: Comparison, style: Style) -> str:
    """Two runs compared, as strict JSON in pure ASCII; `style` changes nothing."""
    return _document({"schema": COMPARISON_SCHEMA, **_plain(comparison)})


def report_to_dict(report: Report, *, exact: bool = False) -> dict[str, Any]:
    """The report as plain JSON values: floats of 7 significant digits unless `exact`, non-finite ones as strings."""
    written: dict[str, Any] = _plain(report, exact)
    return {"schema": SCHEMA, **written}


def suite_to_dict(suite: SuiteReport) -> dict[str, Any]:
    """The suite as plain JSON values: its own fields around the reports of its checks."""
    return {"schema": SUITE_SCHEMA, **_plain(suite), "checks": [report_to_dict(report) for report in suite.checks]}


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
    return _decoded(Report, data, where)


def suite_from_dict(data: Mapping[str, Any], where: str = "the suite") -> SuiteReport:
    """The suite that `suite_to_dict` wrote.

    Raises:
        ReportError: A missing field or a value of the wrong type.
    """
    return _decoded(SuiteReport, data, where)


def read_report(path: str | Path) -> Report:
    """The report in the JSON file at `path`.

    Raises:
        ReportError: The file cannot be read, is not strict JSON, or is not a report.
    """
    return report_from_dict(_loaded(path), str(path))


def read_suite(path: str | Path) -> SuiteReport:
    """The suite in the JSON file at `path`.

    Raises:
        ReportError: The file cannot be read, is not strict JSON, or is not a suite.
    """
    saved = read_saved(path)
    if not isinstance(saved, SuiteReport):
        raise ReportError(f"{path}: holds one report, not a suite", hint="`gradcheck batch` writes suites.")
    return saved


def read_saved(path: str | Path) -> Report | SuiteReport:
    """The report or the suite in the JSON file at `path`.

    Raises:
        ReportError: The file cannot be read, is not strict JSON, or is neither.
    """
    data = _loaded(path)
    if isinstance(data, dict) and data.get("schema") == SUITE_SCHEMA:
        return suite_from_dict(data, str(path))
    return report_from_dict(data, str(path))


def _decoded(kind: type[_Record], data: Mapping[str, Any], where: str) -> _Record:
    try:
        record: _Record = decode(kind, data, "")
    except WrongShape as error:
        raise ReportError(f"{where}: {error}", hint=_AGAIN) from error
    return record


def _loaded(path: str | Path) -> object:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        data: object = json.loads(text, parse_constant=_refuse)
    except OSError as error:
        hint = "check the path"
        raise ReportError(f"{path}: cannot be read: {error.strerror or error}", hint=hint) from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ReportError(f"{path}: truncated or corrupt JSON at {place}: {error.msg}", hint=_AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path}: not a JSON report: {error}", hint=_AGAIN) from error
    return data


def _document(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


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


def _plain(value: Any, exact: bool = False) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        short = value if exact else float(f"{value:.7g}")
        return short if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, exact) for key, item in value.items()}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name), exact) for field in fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(item, exact) for item in value]
    return value if value is None or isinstance(value, str | bool | int) else str(value)


def _kind(value: object) -> str:
    names = {list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
