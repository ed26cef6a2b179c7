"""What is saved as JSON validates against its schema, and what is not of its shape does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from gradcheck_cli.records.documents import report_to_dict, run_to_dict, suite_to_dict
from gradcheck_cli.records.schemas import DIALECT, DOCUMENTS, schema_of
from tests.reports.examples import failed, mixed, nan, vanishing
from tests.timeline.sessions import SESSIONS


def _valid(document: str, value: Any) -> bool:
    return Draft202012Validator(schema_of(document)).is_valid(json.loads(json.dumps(value)))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_is_a_schema_of_its_dialect(document: str) -> None:
    schema = schema_of(document)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT


@pytest.mark.parametrize("example", [failed, nan, vanishing])
def test_reports_validate(example: Any) -> None:
    assert _valid("report", report_to_dict(example()))


def test_suites_validate() -> None:
    assert _valid("suite", suite_to_dict(mixed()))


@pytest.mark.parametrize("example", SESSIONS)
def test_runs_validate(example: str) -> None:
    assert _valid("run", run_to_dict(SESSIONS[example]().timeline()))


def test_numbers_that_are_not_finite_are_words() -> None:
    value = report_to_dict(vanishing())
    assert _valid("report", {**value, "loss": "nan"})
    assert not _valid("report", {**value, "loss": "NaN"})


@pytest.mark.parametrize(
    "change",
    [{"schema": "gradcheck-report/2"}, {"status": "fine"}, {"findings": {}}, {"exit_code": "1"}, {"layers": [{}]}],
)
def test_another_shape_does_not(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Draft202012Validator(schema_of("report")).validate({**report_to_dict(vanishing()), **change})


@pytest.mark.parametrize("name", ["schema", "findings", "error"])
def test_every_field_is_there(name: str) -> None:
    value = report_to_dict(vanishing())
    del value[name]
    assert not _valid("report", value)


def test_another_version_may_add_a_name() -> None:
    assert _valid("report", {**report_to_dict(vanishing()), "later": 1})
