"""JSON values -> records, by the records' own annotations, so a new field needs no code here."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any

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


class WrongShape(ValueError):
    """A value is not of the type that the record asks for; the message says where."""


def decode(kind: Any, value: Any, path: str) -> Any:
    """`value` as an instance of the annotation `kind`.

    Args:
        kind: A dataclass, an Enum, a scalar type, a union, tuple[X, ...] or Mapping[str, X].
        value: What a JSON parser returned.
        path: Where the value stands, such as `findings[0].source`.

    Raises:
        WrongShape: The value does not fit.
    """
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _record(kind, _expect(dict, value, path), path)
    if generic := _GENERICS.get(typing.get_origin(kind)):
        return generic(typing.get_args(kind), value, path)
    return _SCALARS[kind](value, path) if kind in _SCALARS else _choice(kind, value, path)


def _tuple(kinds: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    entries = enumerate(_expect(list, value, path))
    return tuple(decode(kinds[0], entry, f"{path}[{i}]") for i, entry in entries)


def _mapping(kinds: tuple[Any, ...], value: Any, path: str) -> dict[str, Any]:
    return {k: decode(kinds[1], entry, f"{path}.{k}") for k, entry in _expect(dict, value, path).items()}


def _record(kind: Any, value: dict[str, Any], path: str) -> Any:
    hints = typing.get_type_hints(kind)
    given: dict[str, Any] = {}
    for field in fields(kind):
        place = f"{path}.{field.name}" if path else field.name
        if field.name in value:
            given[field.name] = decode(hints[field.name], value[field.name], place)
        elif field.default is MISSING:
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
    return decode(wanted[0], value, path)


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


_SCALARS: dict[Any, Callable[[Any, str], Any]] = {
    float: _number,
    int: lambda value, path: _expect(int, value, path),
    str: lambda value, path: _expect(str, value, path),
    bool: lambda value, path: _expect(bool, value, path),
}
_GENERICS: dict[Any, Callable[[tuple[Any, ...], Any, str], Any]] = {
    UnionType: _union,
    typing.Union: _union,
    tuple: _tuple,
    Mapping: _mapping,
}
