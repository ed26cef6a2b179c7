"""The printed schema says what the models say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gradcheck_cli.config import schema
from gradcheck_cli.config.faults import validated
from gradcheck_cli.config.yamldocuments import read_yaml
from gradcheck_cli.errors import ConfigError
from tests.config.malformed import GOOD
from tests.config.test_malformed import TABLE

SAMPLES = Path(__file__).parents[2] / "samples" / "gradcheck.yaml"
# What a schema cannot say: names of rules by prefix, and that there is nothing twice.
BEYOND = ("no rule is called", "cannot be split into arguments")


def accepted(data: Any) -> bool:
    return Draft202012Validator(schema()).is_valid(data)


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_good_files_fit(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD, encoding="utf-8")
    for file in (tmp_path / "good.yaml", SAMPLES):
        data = read_yaml(file, file).data
        assert [error.message for error in Draft202012Validator(schema()).iter_errors(data)] == []


@pytest.mark.parametrize(("content", "place", "part"), TABLE, ids=range(len(TABLE)))
def test_schema_and_models_refuse_the_same(content: str, place: str, part: str, tmp_path: Path) -> None:
    file = tmp_path / "gradcheck.yaml"
    file.write_bytes(content.encode())
    try:
        document = read_yaml(file, file)
    except ConfigError:
        return  # no data for a schema to judge
    try:
        validated(document)
    except ConfigError:
        assert not accepted(document.data) or part.startswith(BEYOND) or "did you mean `vanishing-" in part
    else:
        assert accepted(document.data)


def test_every_option_has_a_description() -> None:
    defs = schema()["$defs"]
    untold = [
        name for kind in ("Check", "Options", "Run") for name, p in defs[kind]["properties"].items() if len(p) < 2
    ]
    assert untold == []
