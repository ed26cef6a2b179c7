"""`gradcheck schema`."""

from __future__ import annotations

import json

import pytest

from gradcheck_cli.config import schema
from gradcheck_cli.records.schemas import DOCUMENTS, schema_of


def test_what_is_printed_is_the_schema_alone(gradcheck) -> None:
    ended = gradcheck("schema")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == schema()
    assert ended.out.endswith("}\n")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_is_saved_has_schemas_too(gradcheck, document: str) -> None:
    ended = gradcheck("schema", document)
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == schema_of(document)


def test_it_takes_no_file(gradcheck) -> None:
    ended = gradcheck("schema", "x.yaml")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
