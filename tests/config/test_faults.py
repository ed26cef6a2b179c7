"""What is wrong with a document, in words and at its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli.config.faults import validated
from gradcheck_cli.config.yamldocuments import read_yaml
from gradcheck_cli.config.yamlmodels import Check, File, Options
from gradcheck_cli.errors import ConfigError
from tests.config.malformed import GOOD, told


def fault(folder: Path, text: str) -> ConfigError:
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        validated(read_yaml(path, Path("x.yaml")))
    return error.value


def test_a_good_document_becomes_a_model(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(GOOD, encoding="utf-8")
    file = validated(read_yaml(path, path))
    assert [check.model for check in file.checks] == ["nets/a.py:Net", "b.py"]
    assert file.defaults.lr == file.checks[1].lr == 1e-7


def test_several_faults_are_counted_and_the_first_is_told(tmp_path: Path) -> None:
    message = told(tmp_path, b"version: 1\nchecks:\n  - model: a.py\n    seed: x\n  - model: b.py\n    lr: y\n")
    assert message is not None
    assert "gradcheck.yaml:4:11: `checks[0].seed`" in message
    assert message.endswith("(and 1 more)")


SLIPS = {
    "seed": "x",
    "lr": "-1",
    "batches": "0",
    "mode": "both",
    "trust_pickle": "maybe",
    "device": "3",
    "nonsense": "1",
}


@settings(max_examples=40, deadline=None)
@given(names=st.permutations(sorted(SLIPS)), count=st.integers(1, len(SLIPS)))
def test_the_first_of_several_faults_is_told_and_the_others_are_counted(
    names: list[str], count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = "".join(f"    {name}: {SLIPS[name]}\n" for name in names[:count])
    error = fault(tmp_path_factory.getbasetemp(), f"version: 1\nchecks:\n  - model: a.py\n{lines}")
    column = 5 if names[0] == "nonsense" else len(names[0]) + 7
    assert error.message.startswith(f"x.yaml:4:{column}: ")
    assert f"`checks[0].{names[0]}`" in error.message or "unknown key `nonsense`" in error.message
    assert error.message.endswith(f"(and {count - 1} more)") == (count > 1)


@pytest.mark.parametrize("name", sorted(set(Options.model_fields) | set(Check.model_fields) - set(File.model_fields)))
def test_a_key_in_the_wrong_place_is_told_where_it_belongs(name: str, tmp_path: Path) -> None:
    error = fault(tmp_path, f"version: 1\n{name}: x\n")
    assert error.message.startswith(f"x.yaml:2:1: unknown key `{name}`")
    home = "under `defaults` or in a check" if name in Options.model_fields else "in a check"
    assert error.hint == f"`{name}` stands {home}."


def test_a_key_of_the_file_in_a_check_is_told_where_it_belongs(tmp_path: Path) -> None:
    error = fault(tmp_path, "version: 1\nchecks:\n  - model: a.py\n    include: x.yaml\n")
    assert error.hint == "`include` stands at the top of the file."


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("checks: [{model: a.py, steps: 3}]", "`steps` stands in an entry of `run`."),
        ("run: [{script: a.py, model: a.py}]", "`model` stands in a check."),
        ("run: [{script: a.py, lr: 0.1}]", "`lr` stands under `defaults` or in a check."),
    ],
)
def test_a_key_of_a_check_in_a_run_is_told_where_it_belongs_and_the_other_way(
    line: str, hint: str, tmp_path: Path
) -> None:
    assert fault(tmp_path, f"version: 1\n{line}\n").hint == hint


def test_a_key_that_stands_nowhere_is_told_what_there_is(tmp_path: Path) -> None:
    error = fault(tmp_path, "version: 1\nchecks: [{model: a.py, matrix: {sed: [1]}}]\n")
    assert error.message.endswith("unknown key `sed`; did you mean `seed`?")
    assert error.hint == "There are seed, dtype, device, set."
    waiver = fault(tmp_path, "version: 1\nignore: {GC401: {why: x, reason: y}}\n")
    assert waiver.hint == "There are layers, reason."


def test_a_file_without_a_version_is_told_what_to_write(tmp_path: Path) -> None:
    error = fault(tmp_path, "checks: []\n")
    assert (error.message, error.hint) == ("x.yaml:1:1: `version` is missing", "Write `version: 1`.")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("fail_on: always", "`fail_on` must be error, warning or never"),
        ("fail_on: warnings", "`fail_on` must be error, warning or never; did you mean `warning`?"),
        ("defaults: {batches: 0}", "`defaults.batches` must be at least 1"),
        ("defaults: {seed: 9223372036854775808}", "`defaults.seed` must be at most 9223372036854775807"),
        ("defaults: {seed: 1.5}", "`defaults.seed` must be a whole number"),
        ("defaults: {input: ['']}", "`defaults.input[0]` must not be empty"),
        ("defaults: [x]", "`defaults` must be a mapping, with lines of `key: value`"),
        ("checks: [{model: 3}]", "`checks[0].model` must be text; put it in quotes"),
    ],
)
def test_a_value_is_told_with_its_name_and_what_it_must_be(line: str, words: str, tmp_path: Path) -> None:
    message = fault(tmp_path, f"version: 1\n{line}\n").message
    assert message.partition(": ")[2] == words
