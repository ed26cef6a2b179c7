"""Every record goes to JSON and comes back the same."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import math
import pkgutil
import typing
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli import records
from gradcheck_cli.records.codec import WrongShape, decode, encode, strict_json
from gradcheck_cli.records.judging import JudgedStep
from gradcheck_cli.records.measurement import Edge, Op
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.spec import CheckSpec, Pass, Step, Target

LIVE = {JudgedStep, Pass, Step, Target}
"""Records that hold the user's model, which no document can."""


def _all_records() -> list[type]:
    found: dict[str, type] = {}
    for module in pkgutil.iter_modules(records.__path__):
        names = vars(importlib.import_module(f"{records.__name__}.{module.name}"))
        for value in names.values():
            ours = inspect.isclass(value) and value.__module__.startswith(records.__name__)
            if ours and value not in LIVE and (dataclasses.is_dataclass(value) or hasattr(value, "_fields")):
                found[value.__qualname__] = value
    return [found[name] for name in sorted(found)]


RECORDS = _all_records()
WORDS = st.text(max_size=8).filter(lambda text: text not in ("nan", "inf", "-inf"))
PLAIN = st.none() | st.booleans() | st.integers() | WORDS


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """What a field with this annotation may hold."""
    arguments = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values_of(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values_of, arguments))
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(WORDS, values_of(arguments[1]), max_size=2)
    if arguments:
        return st.one_of(*map(values_of, arguments))
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        return instances_of(kind)
    scalars = {
        str: WORDS,
        int: st.integers(),
        float: st.floats(),
        bool: st.booleans(),
        type(None): st.none(),
        Any: PLAIN,
    }
    return scalars[kind] if kind in scalars else st.sampled_from(kind)


def instances_of(record: type) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(record)
    names = [f.name for f in dataclasses.fields(record)] if dataclasses.is_dataclass(record) else record._fields
    return st.builds(record, **{name: values_of(hints[name]) for name in names})


def same(one: Any, other: Any) -> bool:
    """Equality by value, in which a NaN equals itself and 1 is not 1.0."""
    if type(one) is not type(other) and not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return False
    if isinstance(one, float):
        return (one == other and math.copysign(1, one) == math.copysign(1, other)) or (one != one and other != other)
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def test_there_are_records_to_try() -> None:
    names = {record.__name__ for record in RECORDS}
    assert {"Report", "Finding", "Measurement", "Op", "Ledger", "CheckSpec", "SuiteReport", "PlannedCheck"} <= names


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
@pytest.mark.parametrize("examples", [8, pytest.param(25, marks=pytest.mark.sweep)])
def test_round_trip(record: type, examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(instances_of(record))
    def comes_back(made: Any) -> None:
        text = json.dumps(encode(made), allow_nan=False)
        assert same(decode(record, strict_json(text)), made)

    comes_back()


def test_digits_round_a_float_and_nothing_else() -> None:
    assert encode((1 / 3, 7, "0.3333"), digits=3) == [0.333, 7, "0.3333"]
    assert encode(1 / 3) == 1 / 3


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_have_are_words(value: float) -> None:
    assert encode(value) == str(value)
    assert same(decode(float, encode(value)), value)


def test_what_is_nested_too_deeply_is_told_without_words_of_pythons() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        strict_json("[" * 200_000)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"loss": -Infinity}'])
def test_other_spellings_of_them_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not JSON"):
        strict_json(text)


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        (int, 1.0, "should be an integer, found a number"),
        (int, True, "should be an integer, found true or false"),
        (str, 3, "should be a string"),
        (float, "much", "should be a number, found a string"),
        (Edge, [1], "should hold 2 values, found 1"),
        (tuple[str, str], ["a"], "should hold 2 values, found 1"),
        (Finding, {}, "code is missing"),
        (CheckSpec, {"model": "m", "mode": "sideways"}, "mode should be one of keep, train, eval"),
        (CheckSpec, {"model": "m", "inputs": ["a", 1]}, r"inputs\[1\] should be a string"),
    ],
)
def test_a_value_of_another_shape_is_told_with_its_place(kind: Any, value: Any, told: str) -> None:
    with pytest.raises(WrongShape, match=told):
        decode(kind, value)


def test_a_named_tuple_is_an_array() -> None:
    op = Op("TanhBackward0", 3, 1, -1, 0.5, (Edge(1, 0.25),))
    assert encode(op) == ["TanhBackward0", 3, 1, -1, 0.5, [[1, 0.25]]]
    assert decode(Op, encode(op)) == op
