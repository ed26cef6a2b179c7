"""`--set KEY=VALUE`: keyword arguments for the model's class or factory; without torch."""

from __future__ import annotations

import re
from typing import Any

import yaml

from gradcheck_cli.errors import UsageError

# PyYAML follows YAML 1.1, where a float needs a dot: 1e-7 comes out as a string.
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def parse_settings(settings: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """Read every value as YAML (numbers, booleans, lists, plain text).

    Raises:
        UsageError: A key is not a name or stands twice, or a value is not valid YAML.
    """
    values: dict[str, Any] = {}
    for key, text in settings:
        if not key.isidentifier():
            raise UsageError(f"--set: `{key}` is not an argument's name", hint="Write --set KEY=VALUE.")
        if key in values:
            raise UsageError(f"--set gives `{key}` twice", hint="Keep one of the two.")
        values[key] = _value(key, text)
    return values


def _value(key: str, text: str) -> Any:
    try:
        return _numbers(yaml.safe_load(text))
    except yaml.YAMLError as exc:
        raise UsageError(
            f"--set {key}: `{text}` cannot be read as YAML ({_problem(exc)})",
            hint=f"Quote text with special characters: --set '{key}=\"...\"'.",
        ) from exc


def _problem(exc: yaml.YAMLError) -> str:
    return str(getattr(exc, "problem", None) or exc)


def _numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)
    return value
