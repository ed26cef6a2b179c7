"""A validated file -> planned checks: defaults, the matrix, the command line, paths from the file."""

from __future__ import annotations

import itertools
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gradcheck_cli.config.yamlmodels import Check, File, Matrix, Options, Run, SuiteEntry, VerdictSettings
from gradcheck_cli.opening import working_folder
from gradcheck_cli.records.choices import FailOn
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.size import parse_size
from gradcheck_cli.records.spec import CheckSpec, RuleWaiver
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.suffixes import INPUTS, suffix_of
from gradcheck_cli.yamltext import json_in_yaml

_PLAIN = (
    "target target_column device dtype autocast seed mode batches lr optimizer trust_pickle try_budget".split()
)  # by the same name in a CheckSpec
_REFERENCES = "batch loss step weights".split()
_FRAME = ("timeout", "max_memory", "baseline", "drift")
"""The overrides that say how a check is run, not what is checked."""


def planned(file: File, check: Check, folder: Path, overrides: Mapping[str, Any]) -> Iterator[PlannedCheck]:
    """The checks that one entry of `checks` stands for; `overrides` are fields of CheckSpec, and those that
    only a PlannedCheck has.

    --select takes the place of what the file selects and ignores as a whole, --ignore is added to it, --set is
    added too, and every other override takes the place of the file's value, a matrix axis included.
    """
    options = {**_merged(file.defaults, check), "set": {**file.defaults.set, **check.set}}
    given = {name: value for name, value in overrides.items() if value not in (None, ()) and name not in _FRAME}
    frame = {**_frame(file, check, options, folder, overrides), "drift": overrides.get("drift") or options.get("drift")}
    spec = _spec(file, check, options, folder)
    for suffix, changes in _combinations(options.get("matrix"), given):
        changed = replace(spec, **{**changes, "settings": _together(spec.settings, changes.get("settings", ()))})
        yield PlannedCheck(
            name=(check.name or check.model) + suffix,
            spec=_overridden(changed, given),
            **frame,
        )


def planned_run(file: File, run: Run, folder: Path, overrides: Mapping[str, Any]) -> PlannedCheck:
    """The check that an entry of `run` stands for; of `overrides`, the limits and the baseline are for it, too."""
    options = _merged(file.defaults, run)
    spec = RunOptions(
        command=(_below(run.script, folder), *run.args),
        steps=run.steps,
        try_budget=options.get("try_budget") or 0,
        **_verdict(file, run),
    )
    name = run.name or shlex.join((run.script, *run.args))
    return PlannedCheck(name=name, spec=spec, **_frame(file, run, options, folder, overrides))


def _merged(defaults: Options, entry: Check | Run) -> dict[str, Any]:
    """The options of an entry over the defaults."""
    usual = {name: getattr(defaults, name) for name in defaults.model_fields_set}
    own = {name: value for name in entry.model_fields_set if (value := getattr(entry, name)) is not None}
    return {**usual, **own}


def _frame(
    file: File, entry: SuiteEntry, options: Mapping[str, Any], folder: Path, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of a PlannedCheck that a check and a run have in common, but for their names."""
    size = overrides.get("max_memory") or options.get("max_memory")
    return {
        "timeout": overrides.get("timeout") or options.get("timeout"),
        "max_memory": parse_size(size) if isinstance(size, str) else size,
        "baseline": overrides.get("baseline") or (file.baseline and _below(file.baseline, folder)),
        "expect": tuple(entry.expect),
    }


def _spec(file: File, check: Check, options: Mapping[str, Any], folder: Path) -> CheckSpec:
    plain: dict[str, Any] = {name: options[name] for name in _PLAIN if options.get(name) is not None}
    references: dict[str, Any] = {name: from_folder(options[name], folder) for name in _REFERENCES if options.get(name)}
    return CheckSpec(
        model=from_folder(check.model, folder),
        inputs=tuple(options.get("input") or ()),
        settings=_settings(options["set"]),
        **_verdict(file, check),
        **plain,
        **references,
    )


def _verdict(file: File, entry: SuiteEntry) -> dict[str, Any]:
    """What is reported, and what fails."""
    ignore, waivers = ignored([file, entry])
    return {
        "select": tuple(entry.select or file.select or ()),
        "ignore": ignore,
        "waivers": waivers,
        "fail_on": entry.fail_on or file.fail_on or FailOn.WARNING,
        "thresholds": _thresholds(file, entry),
    }


def ignored(said: Sequence[VerdictSettings]) -> tuple[tuple[str, ...], tuple[RuleWaiver, ...]]:
    """What a file and an entry of it ignore: whole rules, and findings with a reason."""
    entries = [entry for each in said for entry in each.ignore.items()]
    whole = tuple(dict.fromkeys(rule for rule, waivers in entries if not waivers))
    return whole, tuple(
        RuleWaiver(rule=rule, layers=tuple(waiver.layers), reason=waiver.reason)
        for rule, waivers in entries
        for waiver in waivers
    )


def _thresholds(file: File, entry: SuiteEntry) -> Thresholds:
    numbers: dict[str, float] = {}
    for values in (*file.thresholds.values(), *entry.thresholds.values()):
        numbers |= values
    return Thresholds(**numbers)


def _combinations(matrix: Matrix | None, given: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every combination of the matrix, as a suffix and the fields it sets; axes that the command line sets are gone."""
    axes: list[tuple[str, list[Any]]] = []
    if matrix is not None:
        own = {key for key, _ in given.get("settings", ())}
        axes += [(n, v) for n in ("seed", "dtype", "device") if (v := getattr(matrix, n)) and n not in given]
        axes += [(f"set.{key}", values) for key, values in matrix.set.items() if key not in own]
    for values in itertools.product(*(values for _, values in axes)):
        chosen = dict(zip((name for name, _ in axes), values, strict=True))
        told = ",".join(f"{name.removeprefix('set.')}={_shown(value)}" for name, value in chosen.items())
        settings = _settings({n.removeprefix("set."): v for n, v in chosen.items() if n.startswith("set.")})
        fields = {name: value for name, value in chosen.items() if not name.startswith("set.")}
        yield f"[{told}]" if told else "", {**fields, "settings": settings}


def _overridden(spec: CheckSpec, given: Mapping[str, Any]) -> CheckSpec:
    added = {
        "settings": _together(spec.settings, given.get("settings", ())),
        "ignore": (*(() if "select" in given else spec.ignore), *given.get("ignore", ())),
    }
    return replace(spec, **{**given, **added})


def _together(first: tuple[tuple[str, str], ...], second: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple({**dict(first), **dict(second)}.items())


def _settings(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """As `--set` would give them: text that is read as YAML, of which JSON is a part."""
    return tuple((key, json_in_yaml(value)) for key, value in values.items())


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def from_folder(text: str, folder: Path) -> str:
    """A reference or path with its file taken from `folder`; names and dotted modules stay as they are.

    The result is relative to the current folder where that is possible, so that reports read the same anywhere.
    """
    location, colon, name = text.rpartition(":")
    if not (colon and location and name.replace(".", "_").isidentifier()):
        location, colon, name = text, "", ""
    if not ("/" in location or "\\" in location or suffix_of(location) in INPUTS):
        return text
    return f"{_below(location, folder)}{colon}{name}"


def _below(location: str, folder: Path) -> str:
    path = Path(os.path.normpath(folder / location))
    here = working_folder()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
