"""Nothing that the user's code says while a step is repeated is heard: it has said it once."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any


class _Nowhere(io.TextIOBase):
    """A stream that takes everything, with the descriptor of none."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def isatty(self) -> bool:
        return False


@contextmanager
def unheard() -> Iterator[None]:
    """Inside, prints, log records and warnings of this process go nowhere.

    Warnings are dropped where they would be shown, and which were shown already is afterwards what it was:
    `warnings.catch_warnings` would let those come again that the script has shown.
    """
    shown: Any = warnings._showwarnmsg  # type: ignore[attr-defined]
    disabled = logging.root.manager.disable
    nowhere = _Nowhere()
    warnings._showwarnmsg = lambda message: None  # type: ignore[attr-defined]
    registries, version = {id(each): dict(each) for each in _registries()}, _version()
    logging.disable(max(disabled, logging.CRITICAL))
    try:
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            yield
    finally:
        _put_back(registries, version)
        warnings._showwarnmsg = shown  # type: ignore[attr-defined]
        logging.disable(disabled)


def _registries() -> Iterator[dict[Any, Any]]:
    """Where Python keeps which warnings were shown: one a module, and one for filters that say "once"."""
    modules = [getattr(module, "__dict__", {}) for module in list(sys.modules.values())]
    kept = [space.get("__warningregistry__") for space in modules]
    yield from (each for each in (*kept, warnings.onceregistry) if isinstance(each, dict))  # type: ignore[attr-defined]


def _version() -> int:
    """The number of the filters in force; a registry of another is forgotten."""
    registry: dict[Any, Any] = {}
    with suppress(Warning):  # filters may make an error of it
        warnings.warn_explicit("", PendingDeprecationWarning, "", 0, registry=registry)
    return int(registry["version"])


def _put_back(before: Mapping[int, Mapping[Any, Any]], version: int) -> None:
    now = _version()
    for registry in _registries():
        kept = dict(before.get(id(registry), {}))
        if kept.get("version") == version:
            kept["version"] = now
        registry.clear()
        registry.update(kept)
