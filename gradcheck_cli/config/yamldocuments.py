"""gradcheck.yaml as plain data that knows where each of its parts stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from gradcheck_cli.errors import ConfigError
from gradcheck_cli.opening import Unreadable, content
from gradcheck_cli.yamltext import Address, NotYaml, Place, line_and_column, parse

LARGEST_FILE = 2**20
"""Bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class YamlDocument:
    """A file as plain data, and where its parts stand, as (line, column) from 1."""

    file: Path
    data: Any
    values: Mapping[Address, Place]
    keys: Mapping[Address, Place]

    def fail(self, address: Address, message: str, *, hint: str = "", key: bool = False) -> NoReturn:
        """Raise what is wrong with the part nearest to `address`: its value, or its `key`.

        Raises:
            ConfigError: Always.
        """
        line, column = self.place(address, key=key)
        raise ConfigError(f"{self.file}:{line}:{column}: {message}", hint=hint)

    def place(self, address: Address, *, key: bool = False) -> Place:
        """Where a part stands; parts of the address that the file does not have are passed over."""
        known = self.known(address)
        return (self.keys if key and known in self.keys else self.values)[known]

    def known(self, address: Address) -> Address:
        """The address without the parts that the file does not have."""
        known: Address = ()
        for part in address:
            known = (*known, part) if (*known, part) in self.values else known
        return known


def read_yaml(path: Path, shown: Path) -> YamlDocument:
    """Read a file of YAML, which `shown` is what messages call.

    Raises:
        ConfigError: The file cannot be read, or is not one document of YAML 1.2.
    """
    try:
        parsed = parse(_decoded(_bytes(path, shown), shown))
    except NotYaml as error:
        line, column = error.place
        raise ConfigError(f"{shown}:{line}:{column}: {error}", hint=error.hint) from error
    if not parsed.values:
        raise ConfigError(f"{shown}:1:1: the file is empty", hint="`gradcheck init` writes one to start from.")
    return YamlDocument(file=shown, data=parsed.data, values=parsed.values, keys=parsed.keys)


def _bytes(path: Path, shown: Path) -> bytes:
    try:
        return content(path, LARGEST_FILE)
    except Unreadable as error:
        if error.missing:
            raise ConfigError(f"there is no file {shown}", hint="`gradcheck init` writes one.") from error
        raise ConfigError(f"{shown} {error}", hint="Name a file of YAML; `include` splits a large one.") from error


def _decoded(held: bytes, shown: Path) -> str:
    try:
        return held.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = line_and_column(held[: error.start].decode("utf-8", "replace"))
        raise ConfigError(f"{shown}:{line}:{column}: not UTF-8", hint="Save the file as UTF-8.") from error
