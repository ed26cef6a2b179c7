"""gradcheck.yaml -> planned checks. Every fault is a ConfigError that starts with file:line:column."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradcheck_cli.records.suite import PlannedCheck

FILE_NAME = "gradcheck.yaml"


def load_config(path: Path, overrides: Mapping[str, object]) -> tuple[PlannedCheck, ...]:
    """Every check that a file and those it includes plan, in their order, with unique names.

    Args:
        path: The file.
        overrides: What the command line sets: fields of CheckSpec and of PlannedCheck; None and () set nothing.

    Raises:
        ConfigError: A file cannot be read or understood.
    """
    from gradcheck_cli.config.includes import load

    return load(path, overrides)


def load_policy(path: Path, overrides: Mapping[str, object]) -> dict[str, Any]:
    """What a file says of every verdict: the fields select, ignore, waivers, fail_on and thresholds of a CheckSpec.

    Args:
        path: The file; its checks and those that it includes are left alone.
        overrides: As for `load_config`.

    Raises:
        ConfigError: The file cannot be read or understood.
    """
    from gradcheck_cli.config.includes import policy

    return policy(path, overrides)


def given_policy(ignore: Mapping[str, Any], thresholds: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """What a caller of the API says of a verdict: the fields ignore, waivers and thresholds of a CheckSpec.

    Args:
        ignore: From rules to {"layers": [GLOB, ...], "reason": WHY}, or several of these.
        thresholds: From rules to numbers by their names.

    Raises:
        UsageError: One of them does not fit.
    """
    from gradcheck_cli.config.callersettings import caller_settings

    return caller_settings(ignore, thresholds)


def find_config(start: Path) -> Path | None:
    """The nearest gradcheck.yaml from `start` upwards, as far as the root of the repository (where .git is).

    Outside a repository only `start` itself is looked at, so that no stranger's file is picked up.
    """
    folders = [start.resolve(), *start.resolve().parents]
    root = next((index for index, folder in enumerate(folders) if (folder / ".git").exists()), 0)
    return next((folder / FILE_NAME for folder in folders[: root + 1] if (folder / FILE_NAME).is_file()), None)


def schema() -> dict[str, Any]:
    """The JSON schema of gradcheck.yaml (draft 2020-12)."""
    from gradcheck_cli.config.yamlmodels import File

    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **File.model_json_schema()}
