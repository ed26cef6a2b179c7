"""JSON schemas of the documents that reports, suites and runs are saved as, made of the records' own annotations."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from gradcheck_cli.records.documents import RUN_SCHEMA, SCHEMA, SUITE_SCHEMA
from gradcheck_cli.records.report import Finding, Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.records.timeline import Timeline

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NONFINITE = {"enum": ["nan", "inf", "-inf"]}
_DOCUMENTS: dict[str, tuple[type, str]] = {
    "report": (Report, SCHEMA),
    "suite": (SuiteReport, SUITE_SCHEMA),
    "run": (Timeline, RUN_SCHEMA),
}
DOCUMENTS = tuple(_DOCUMENTS)
"""What there is a schema of."""


def schema_of(document: str) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of one of `DOCUMENTS`.

    It says what this version writes. Other names may be added to any object without a new version of the document.
    """
    kind, name = _DOCUMENTS[document]
    made = TypeAdapter(kind).json_schema(mode="serialization", schema_generator=_Generator)
    for title, record in made.get("$defs", {}).items():
        if title == Report.__name__:  # inside a suite and a run each is a document of its own
            _add(record, "schema", {"const": SCHEMA})
        if title == Finding.__name__:
            _add(record, "waiver", {"type": "string"})
    _add(made, "schema", {"const": name})
    return {"$schema": DIALECT, **made}


def _add(record: dict[str, Any], name: str, kind: dict[str, Any]) -> None:
    """A value that is no field of the record, but is written with it."""
    record["properties"] = {name: kind, **record["properties"]}
    record["required"] = [name, *record["required"]]


class _Generator(GenerateJsonSchema):
    """As the codec writes records: numbers that are not finite are text, and every field is there."""

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        """A number, or one of three words."""
        return {"anyOf": [super().float_schema(schema), _NONFINITE]}

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,
    ) -> bool:
        """Each is written, whether it has a default or not."""
        return True

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Defaults are no matter of a reader: every field is there."""
        return self.generate_inner(schema["schema"])

    def generate(self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "serialization") -> JsonSchemaValue:
        """Without the titles that repeat each field's name."""
        made: JsonSchemaValue = _untitled(super().generate(schema, mode))
        return made


def _untitled(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: {name: _untitled(part) for name, part in item.items()}
            if key in ("properties", "$defs")
            else _untitled(item)
            for key, item in value.items()
            if not (key == "title" and isinstance(item, str))
        }
    return [_untitled(part) for part in value] if isinstance(value, list) else value
