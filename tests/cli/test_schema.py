"""`gradcheck schema`."""

from __future__ import annotations

import json

from gradcheck_cli.config import schema


def test_what_is_printed_is_the_schema_alone(gradcheck) -> None:
    ended = gradcheck("schema")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == schema()
    assert ended.out.endswith("}\n")


def test_it_takes_no_arguments(gradcheck) -> None:
    ended = gradcheck("schema", "x.yaml")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
