"""What pydantic found wrong with a document, in our words and at its line and column."""

from __future__ import annotations

import json
from typing import Any, NoReturn, get_args

from pydantic import BaseModel, ValidationError

from gradcheck_cli.config.yamldocuments import YamlDocument
from gradcheck_cli.config.yamlmodels import Check, File, Options, Run
from gradcheck_cli.words import did_you_mean
from gradcheck_cli.yamltext import Address

_WORDS = {
    "string_type": "must be text; put it in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping, with lines of `key: value`",
    "model_type": "must be a mapping, with lines of `key: value`",
    "model_attributes_type": "must be a mapping, with lines of `key: value`",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "is not an argument's name",
}
_HOMES: tuple[tuple[type[BaseModel], str], ...] = (
    (File, "at the top of the file"),
    (Options, "under `defaults` or in a check"),
    (Check, "in a check"),
    (Run, "in an entry of `run`"),
)


def validated(document: YamlDocument) -> File:
    """The document as a model.

    Raises:
        ConfigError: It does not fit; the message is about the first place that does not.
    """
    try:
        # JSON has the same types as our YAML, and pydantic's strictness is made for it.
        return File.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        _tell(document, [dict(each) for each in error.errors(include_url=False)])


def _tell(document: YamlDocument, errors: list[dict[str, Any]]) -> NoReturn:
    faults = [(document.place(_address(e), key=_about_key(e)), e) for e in errors]
    _, first = min(faults, key=lambda fault: fault[0])
    message, hint = _worded(document, first)
    more = len({place for place, _ in faults}) - 1
    document.fail(_address(first), message + (f" (and {more} more)" if more else ""), hint=hint, key=_about_key(first))


def _address(error: dict[str, Any]) -> Address:
    return (*(part for part in error["loc"] if part != "[key]"), *error.get("ctx", {}).get("at", ()))


def _about_key(error: dict[str, Any]) -> bool:
    return error["type"] in ("extra_forbidden", "threshold_name") or "[key]" in error["loc"]


def _worded(document: YamlDocument, error: dict[str, Any]) -> tuple[str, str]:
    kind, address = error["type"], _address(error)
    if kind == "extra_forbidden":
        return _unknown(address)
    if kind == "missing":
        return f"`{address[-1]}` is missing", "Write `version: 1`." if address[-1] == "version" else ""
    if kind in ("enum", "literal_error"):
        expected = error["ctx"]["expected"].replace("'", "")
        close = did_you_mean(str(error["input"]), expected.replace(" or ", ", ").split(", "))
        return f"{_shown(document, address)} must be {expected}{close}", ""
    if kind in _WORDS:
        return f"{_shown(document, address)} {_WORDS[kind].format(**error.get('ctx', {}))}", ""
    return error["msg"], ""


def _shown(document: YamlDocument, address: Address) -> str:
    """`checks[0].seed`, or "the file"."""
    known = document.known(address)
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in known)
    return f"`{text.lstrip('.')}`" if text else "the file"


def _unknown(address: Address) -> tuple[str, str]:
    key, known = str(address[-1]), _model_at(address[:-1]).model_fields
    homes = [where for model, where in _HOMES if key in model.model_fields and key not in known]
    hint = f"`{key}` stands {homes[0]}." if homes else f"There are {', '.join(known)}."
    return f"unknown key `{key}`{did_you_mean(key, known)}", hint


def _model_at(address: Address) -> type[BaseModel]:
    """The model of the mapping at an address."""
    model: type[BaseModel] = File
    for part in address:
        found = model.model_fields.get(part) if isinstance(part, str) else None
        model = (_models_in(found.annotation) or [model])[0] if found else model
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for part in get_args(annotation) for model in _models_in(part)]
