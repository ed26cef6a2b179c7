"""A file and those that it includes -> all their planned checks, each name once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gradcheck_cli.config.faults import validated
from gradcheck_cli.config.plans import planned, planned_run
from gradcheck_cli.config.yamldocuments import YamlDocument, read_yaml
from gradcheck_cli.config.yamlmodels import Check, File, VerdictSettings
from gradcheck_cli.errors import ConfigError
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.yamltext import Address

_MOST_CHECKS = 10_000
_DEEPEST = 32
_ANY = Check(model="any")


def load(path: Path, overrides: Mapping[str, Any]) -> tuple[PlannedCheck, ...]:
    """Every check of a file and of those it includes, in their order.

    Raises:
        ConfigError: A file cannot be read or understood, or two checks have one name.
    """
    checks: dict[str, tuple[PlannedCheck, str]] = {}
    for check, document, entry in _checks(path, (), set(), overrides):
        line, column = document.place((*entry, "name"))
        if check.name in checks:
            raise ConfigError(
                f"{document.file}:{line}:{column}: a second check called `{check.name}`; "
                f"the first is in {checks[check.name][1]}",
                hint="Give one of them another `name`.",
            )
        if len(checks) >= _MOST_CHECKS:
            document.fail((*entry, "matrix"), f"more than {_MOST_CHECKS} checks", key=True)
        checks[check.name] = check, f"{document.file}:{line}"
    return tuple(check for check, _ in checks.values())


def policy(path: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a CheckSpec that a file sets at its top, under the command line's.

    Raises:
        ConfigError: The file cannot be read or understood.
    """
    file = validated(read_yaml(path, path))
    (check,) = planned(
        File(version=1, **{n: getattr(file, n) for n in VerdictSettings.model_fields}), _ANY, path, overrides
    )
    return {name: getattr(check.spec, name) for name in (*VerdictSettings.model_fields, "waivers")}


def _checks(
    path: Path, above: tuple[Path, ...], done: set[Path], overrides: Mapping[str, Any]
) -> Iterator[tuple[PlannedCheck, YamlDocument, Address]]:
    real = _real(path)
    done.add(real)
    document = read_yaml(path, path)
    file = validated(document)
    folder = path.parent.absolute()
    for index, check in enumerate(file.checks):
        for each in planned(file, check, folder, overrides):
            yield each, document, ("checks", index)
    for index, run in enumerate(file.run):
        yield planned_run(file, run, folder, overrides), document, ("run", index)
    for index, pattern in enumerate(file.include):
        for included in _matching(document, index, pattern, path.parent):
            if _real(included) in (*above, real):
                document.fail(("include", index), f"`{pattern}` includes {included}, which includes this file")
            if len(above) >= _DEEPEST:
                document.fail(("include", index), f"files include each other more than {_DEEPEST} deep")
            if _real(included) not in done:
                yield from _checks(included, (*above, real), done, overrides)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises where links lead round in a circle


def _matching(document: YamlDocument, index: int, pattern: str, folder: Path) -> list[Path]:
    try:
        found = sorted(folder.glob(os.path.normpath(pattern)))
    except (ValueError, IndexError, NotImplementedError, OSError) as error:  # `**x`, `.`, an absolute path
        document.fail(("include", index), f"`{pattern}` is not a pattern ({error})", hint="Write `models/*.yaml`.")
    if not found:
        document.fail(("include", index), f"no file fits `{pattern}`", hint="Paths start at this file's folder.")
    return found
