"""`--set KEY=VALUE`: keyword arguments for the model's class or factory; without torch."""

from __future__ import annotations

from typing import Any

from gradcheck_cli.errors import UsageError
from gradcheck_cli.yamltext import NotYaml, parse

_LONGEST = 80
"""Characters of a value that a message repeats."""


def parse_settings(settings: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """Read every value as YAML 1.2 (numbers, booleans, lists, plain text).

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
        return parse(text).data
    except NotYaml as error:
        shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
        raise UsageError(
            f"--set {key}: `{shown}` cannot be read as YAML ({error})",
            hint=f"Quote text with special characters: --set '{key}=\"...\"'.",
        ) from error
