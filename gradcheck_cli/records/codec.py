"""Records <-> JSON values, both ways, by the records' own annotations: a new field needs no code here.

A record becomes an object, a NamedTuple and a tuple become arrays, an Enum its value. JSON has no NaN and no
infinities, so they are written as the strings "nan", "inf" and "-inf"; where an annotation allows both numbers and
text, a text of exactly those letters is read back as the number.
"""

from __future__ import annotations

import json
import math
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NoReturn

_NONFINITE = ("nan", "inf", "-inf")
_WORDS: dict[Any, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    NoneType: "null",
    list: "a list",
    dict: "an object",
}
DIGITS = 7
"""Significant digits of a float in a document for people and scripts: all that float32 holds."""


class WrongShape(ValueError):
    """A value is not of the type that the record asks for; the message says where."""


def encode(value: Any, *, digits: int | None = None) -> Any:
    """A record as plain JSON values.

    Args:
        value: A record, or anything that the fields of one hold.
        digits: Significant digits to which floats are rounded; None keeps every bit.
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        rounded = value if digits is None else float(f"{value:.{digits}g}")
        return rounded if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): encode(item, digits=digits) for key, item in value.items()}
    if is_dataclass(value):
        return {field.name: encode(getattr(value, field.name), digits=digits) for field in fields(value)}
    if isinstance(value, list | tuple):
        return [encode(item, digits=digits) for item in value]
    return value if value is None or isinstance(value, str | bool | int) else str(value)


def decode(kind: Any, value: Any, path: str = "") -> Any:
    """`value` as an instance of the annotation `kind`. Names that a record does not have are passed over.

    Args:
        kind: A dataclass, a NamedTuple, an Enum, a scalar type, a union, tuple[X, ...], tuple[X, Y] or Mapping[str, X].
        value: What a JSON parser returned.
        path: Where the value stands, such as `findings[0].source`.

    Raises:
        WrongShape: The value does not fit.
    """
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _record(kind, _expect(dict, value, path), path)
    if isinstance(kind, type) and issubclass(kind, tuple):
        return kind(*_tuple(tuple(_annotations(kind).values()), value, path))
    if generic := _GENERICS.get(typing.get_origin(kind)):
        return generic(typing.get_args(kind), value, path)
    return _SCALARS[kind](value, path) if kind in _SCALARS else _choice(kind, value, path)


def strict_json(text: str | bytes) -> Any:
    """The value of a JSON text, in which NaN and Infinity, which are no JSON, are refused.

    Raises:
        ValueError: It is no strict JSON, or nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f'{constant} is not JSON; gradcheck writes non-finite numbers as "nan", "inf", "-inf"')


@cache
def _annotations(kind: Any) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)


def _tuple(kinds: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    entries: list[Any] = _expect(list, value, path)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(entries)
    if len(entries) != len(kinds):
        raise WrongShape(f"{path} should hold {len(kinds)} values, found {len(entries)}")
    return tuple(decode(kinds[i], entry, f"{path}[{i}]") for i, entry in enumerate(entries))


def _mapping(kinds: tuple[Any, ...], value: Any, path: str) -> dict[str, Any]:
    return {k: decode(kinds[1], entry, f"{path}.{k}") for k, entry in _expect(dict, value, path).items()}


def _record(kind: Any, value: dict[str, Any], path: str) -> Any:
    hints = _annotations(kind)
    given: dict[str, Any] = {}
    for field in fields(kind):
        place = f"{path}.{field.name}" if path else field.name
        if field.name in value:
            given[field.name] = decode(hints[field.name], value[field.name], place)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise WrongShape(f"{place} is missing")
    return kind(**given)


def _union(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and NoneType in kinds:
        return None
    wanted = [kind for kind in kinds if kind is not NoneType]
    # Evidence holds numbers or words: an integer stays one, and "nan" is a number.
    if int in wanted and type(value) is int:
        return value
    if len(wanted) > 1 and isinstance(value, str) and value not in _NONFINITE:
        return value
    return decode(_fitting(wanted, value), value, path)


def _fitting(kinds: list[Any], value: Any) -> Any:
    """The record that has a field for all that there is, where several may be meant; else the first."""
    if len(kinds) == 1 or not isinstance(value, dict):
        return kinds[0]
    return next(
        (kind for kind in kinds if is_dataclass(kind) and value.keys() <= {field.name for field in fields(kind)}),
        kinds[0],
    )


def _choice(kind: type[Enum], value: Any, path: str) -> Enum:
    choices = [member.value for member in kind]
    if value not in choices:
        raise WrongShape(f"{path} should be one of {', '.join(choices)}, found {value!r:.40}")
    return kind(value)


def _expect(kind: type, value: Any, path: str) -> Any:
    if type(value) is not kind:
        found = _WORDS.get(type(value), type(value).__name__)
        raise WrongShape(f"{path or 'the report'} should be {_WORDS[kind]}, found {found}")
    return value


def _number(value: Any, path: str) -> float:
    if isinstance(value, str) and value in _NONFINITE:
        return float(value)
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise WrongShape(f"{path} is too large for a number") from None
    number: float = _expect(float, value, path)
    return number


_SCALARS: Mapping[Any, Any] = {
    float: _number,
    int: lambda value, path: _expect(int, value, path),
    str: lambda value, path: _expect(str, value, path),
    bool: lambda value, path: _expect(bool, value, path),
}
_GENERICS: Mapping[Any, Any] = {
    UnionType: _union,
    typing.Union: _union,
    tuple: _tuple,
    Mapping: _mapping,
}
