"""What a gradcheck.yaml may hold, and the ways to write it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gradcheck_cli.config.yamlmodels import Check, File, Options
from gradcheck_cli.records.choices import FailOn, Mode, Optimizer
from gradcheck_cli.records.thresholds import TUNABLE
from gradcheck_cli.rules import EVERY_RULE

BY_CODE = {rule.code: rule for rule in EVERY_RULE}


def file(**fields: Any) -> File:
    return File.model_validate_json(json.dumps({"version": 1, **fields}))


def check(**fields: Any) -> Check:
    return Check.model_validate_json(json.dumps({"model": "a.py", **fields}))


def refused(**fields: Any) -> str:
    """What is said of the first fault of a file."""
    with pytest.raises(ValidationError) as error:
        file(**fields)
    return error.value.errors()[0]["msg"]


def test_a_file_is_its_version_and_may_leave_out_all_else() -> None:
    assert file() == File(version=1)
    assert file().checks == [] and file().defaults == Options()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("GC401", {"GC401": []}),
        (["GC4", "unused"], {"GC4": [], "unused": []}),
        ({"GC401": []}, {"GC401": []}),
        ({"GC401": {"reason": "x"}}, {"GC401": [([], "x")]}),
        ({"GC401": {"layers": "a", "reason": "x"}}, {"GC401": [(["a"], "x")]}),
        (
            {"GC401": [{"layers": ["a", "b"], "reason": "x"}, {"layers": "c", "reason": "y"}]},
            {"GC401": [(["a", "b"], "x"), (["c"], "y")]},
        ),
        ([], {}),
        ({}, {}),
    ],
)
def test_what_is_ignored_is_written_in_many_ways(written: Any, meant: dict[str, list[tuple[list[str], str]]]) -> None:
    ignored = file(ignore=written).ignore
    assert {rule: [(one.layers, one.reason) for one in waivers] for rule, waivers in ignored.items()} == meant


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (3, "`ignore` takes rules"),
        (["GC401", 3], "`ignore` takes rules"),
        ({"GC401": "encoder"}, "layers need a reason"),
        ({"GC401": ["encoder"]}, "layers need a reason"),
        ("GC9", "no rule is called `GC9`"),
        ({"nothing": []}, "no rule is called `nothing`"),
    ],
)
def test_what_cannot_be_ignored_is_told(written: Any, told: str) -> None:
    assert told in refused(ignore=written)


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_an_expected_rule_is_its_code_or_its_name(code: str) -> None:
    assert check(expect=code).expect == check(expect=[BY_CODE[code].name]).expect == [code]


def test_a_check_may_be_expected_to_fail() -> None:
    assert check(expect="failed").expect == ["failed"]
    with pytest.raises(ValidationError, match="no rule is called `GC2`"):
        check(expect="GC2")  # a prefix is no rule that could be reported


@pytest.mark.parametrize("name", sorted(TUNABLE))
@pytest.mark.parametrize("by", ["code", "name"])
def test_a_threshold_may_be_moved_within_its_bounds(name: str, by: str) -> None:
    rule = TUNABLE[name].rule
    written = rule if by == "code" else BY_CODE[rule].name
    for value in (TUNABLE[name].low, TUNABLE[name].high):
        assert file(thresholds={written: {name: value}}).thresholds == {rule: {name: value}}
    told = f"{name} must lie between"
    assert told in refused(thresholds={written: {name: TUNABLE[name].low - 1}})
    assert told in refused(thresholds={written: {name: TUNABLE[name].high * 2}})


def test_a_threshold_belongs_to_its_own_rule() -> None:
    told = refused(thresholds={"GC206": {"slower_decades": 0.5}})
    assert told == "GC206 has no threshold `slower_decades` (it has saturated_share)"


@given(value=st.floats(allow_nan=False) | st.integers())
def test_a_share_lies_between_0_and_1(value: float) -> None:
    fits = 0 <= value <= 1
    try:
        File.model_validate({"version": 1, "thresholds": {"GC206": {"saturated_share": value}}})
    except ValidationError:
        assert not fits
    else:
        assert fits


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("--lr 1e-3 --name 'a b'", ["--lr", "1e-3", "--name", "a b"]),
        ("--quick", ["--quick"]),
        ("", []),
        (["--name", "a b", ""], ["--name", "a b", ""]),
    ],
)
def test_arguments_are_split_as_a_shell_does_unless_they_are_listed(written: Any, meant: list[str]) -> None:
    (run,) = file(run=[{"script": "a.py", "args": written}]).run
    assert run.args == meant


def test_one_run_is_a_list_of_one() -> None:
    assert file(run={"script": "a.py"}) == file(run=[{"script": "a.py"}])


@pytest.mark.parametrize("field", ["input", "include"])
def test_one_text_is_a_list_of_one(field: str) -> None:
    if field == "input":
        assert check(input="x").input == check(input=["x"]).input == ["x"]
    else:
        assert file(include="x").include == file(include=["x"]).include == ["x"]


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": "1"},
        {"seed": True},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": 1.0},
        {"lr": "1e-3"},
        {"lr": 0},
        {"batches": 0},
        {"trust_pickle": 1},
        {"trust_pickle": "true"},
        {"autocast": "float32"},
        {"mode": "TRAIN"},
        {"loss": ""},
        {"set": {"a-b": 1}},
        {"set": {"1a": 1}},
        {"matrix": {"seed": []}},
        {"matrix": {"set": {"a": 1}}},
        {"max_memory": "4"},
        {"max_memory": "lots"},
        {"drift": 0},
        {"try_budget": -1},
        {"baseline": "b.json"},
    ],
    ids=str,
)
def test_what_is_of_another_type_or_out_of_bounds_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check(**fields)


def test_the_choices_are_those_of_the_command_line() -> None:
    for mode in Mode:
        assert check(mode=mode.value).mode is mode
    for optimizer in Optimizer:
        assert check(optimizer=optimizer.value).optimizer is optimizer
    for fail_on in FailOn:
        assert file(fail_on=fail_on.value).fail_on is fail_on


def test_a_file_that_was_read_cannot_be_edited() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        file().baseline = "b.json"  # type: ignore[misc]


@pytest.mark.parametrize("size", ["4GB", "512 MiB", "1.5gb", "100MB"])
def test_an_amount_of_memory_stays_as_it_was_written(size: str) -> None:
    assert check(max_memory=size).max_memory == size
