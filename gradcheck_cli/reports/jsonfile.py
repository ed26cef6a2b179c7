"""The JSON report, suite and run as text, and the files that they were saved in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gradcheck_cli.errors import ReportError
from gradcheck_cli.opening import LARGEST_DOCUMENT, Unreadable, text_of
from gradcheck_cli.records.codec import DIGITS, encode, strict_json
from gradcheck_cli.records.documents import (
    AGAIN,
    report_from_dict,
    report_to_dict,
    run_to_dict,
    saved_from_dict,
    suite_to_dict,
)
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.records.timeline import Timeline
from gradcheck_cli.reports.comparison import ReportComparison
from gradcheck_cli.reports.style import Style

COMPARISON_SCHEMA = "gradcheck-comparison/1"


def render_report(report: Report, style: Style) -> str:
    """The report as strict JSON in pure ASCII, so that any stream can take it; `style` changes nothing."""
    return _document(report_to_dict(report))


def render_suite(suite: SuiteReport, style: Style) -> str:
    """The suite as strict JSON in pure ASCII; `style` changes nothing."""
    return _document(suite_to_dict(suite))


def render_run(run: Timeline, style: Style) -> str:
    """The run as strict JSON in pure ASCII; `style` changes nothing."""
    return _document(run_to_dict(run))


def render_comparison(comparison: ReportComparison, style: Style) -> str:
    """Two runs compared, as strict JSON in pure ASCII; `style` changes nothing."""
    return _document({"schema": COMPARISON_SCHEMA, **encode(comparison, digits=DIGITS)})


def read_saved(path: str | Path) -> Report | SuiteReport | Timeline:
    """The report, the suite or the run in the JSON file at `path`.

    Raises:
        ReportError: The file cannot be read, is not strict JSON, or is none of them.
    """
    return saved_from_dict(_loaded(path), str(path))


def read_report(path: str | Path) -> Report:
    """The report of one check in the JSON file at `path`.

    Raises:
        ReportError: The file cannot be read, is not strict JSON, or is no report.
    """
    return report_from_dict(_loaded(path), str(path))


def _loaded(path: str | Path) -> object:
    try:
        data: object = strict_json(text_of(Path(path), LARGEST_DOCUMENT))
    except Unreadable as error:
        raise ReportError(f"{path} {error}", hint="Name a file that `--output json=FILE` wrote.") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ReportError(f"{path}: truncated or corrupt JSON at {place}: {error.msg}", hint=AGAIN) from error
    except ValueError as error:
        raise ReportError(f"{path}: not a JSON report: {error}", hint=AGAIN) from error
    return data


def _document(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, allow_nan=False) + "\n"
