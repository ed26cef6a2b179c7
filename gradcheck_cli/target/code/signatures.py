"""Can this function be called with these arguments? Asked before calling, so that errors are clear."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from gradcheck_cli.errors import TargetError, UsageError
from gradcheck_cli.words import did_you_mean, listing


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """The signature, or None for callables written in C that have none."""
    try:
        return inspect.signature(function)
    except (ValueError, TypeError):
        return None


def takes(function: Any, *args: Any, **kwargs: Any) -> bool:
    """Whether `function` can be called with these arguments."""
    if not callable(function):
        return False
    signature = signature_of(function)
    if signature is None:
        return True
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def check_settings(function: Callable[..., Any], label: str, settings: Mapping[str, Any]) -> None:
    """Check that `--set` gives a class or factory what it needs and nothing that it does not know.

    Raises:
        UsageError: A key is no parameter of it.
        TargetError: A required argument is missing.
    """
    signature = signature_of(function)
    if signature is None:
        return
    keywords = _keywords(signature)
    open_ended = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    for key in settings:
        if key not in keywords and not open_ended:
            raise UsageError(
                f"--set: {label} has no argument `{key}`{did_you_mean(key, keywords)}",
                hint=f"It takes {listing(keywords)}." if keywords else "It takes no arguments.",
            )
    missing = [name for name in required(function) if name not in settings]
    if missing:
        flags = " ".join(f"--set {name}=..." for name in missing)
        raise TargetError(f"{label} needs {listing(missing)}", hint=f"Give each a value: {flags}")


def required(function: Callable[..., Any]) -> list[str]:
    """Names of the parameters without a default."""
    signature = signature_of(function)
    if signature is None:
        return []
    return [
        name
        for name, parameter in signature.parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


def _keywords(signature: inspect.Signature) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for name, parameter in signature.parameters.items() if parameter.kind in kinds]
