"""Watched scripts from public reports stay as they came out last; two of them in CI, all under `-m unseen`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unseen.scripts.score import HERE, figures, judged, labels_of, rows, watched

SETS = sorted(path.parent for path in HERE.glob("*/figures.json"))
QUICK = {"core": ("rain_amount", "fp16_accum")}
"""Scripts that CI runs: an ill and a healthy one, of the fewest steps."""


def kept_of(folder: Path) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((folder / "figures.json").read_text(encoding="ascii"))
    return kept


def cases(*, quick: bool) -> list[pytest.ParameterSet]:
    return [
        pytest.param(folder, name, id=f"{folder.name}/{name}")
        for folder in SETS
        for name in sorted(labels_of(folder))
        if (name in QUICK.get(folder.name, ())) is quick
    ]


def assert_as_recorded(folder: Path, name: str) -> None:
    label = labels_of(folder)[name]
    assert judged(watched(folder, label), label) == kept_of(folder)["latest"]["cases"][name]


@pytest.mark.parametrize(("folder", "name"), cases(quick=True))
def test_some_scripts_stay(folder: Path, name: str) -> None:
    assert_as_recorded(folder, name)


@pytest.mark.unseen
@pytest.mark.parametrize(("folder", "name"), cases(quick=False))
def test_all_scripts_stay(folder: Path, name: str) -> None:
    assert_as_recorded(folder, name)


@pytest.mark.parametrize("folder", SETS, ids=lambda folder: folder.name)
def test_every_script_is_labelled_and_scored(folder: Path) -> None:
    labels, kept = labels_of(folder), kept_of(folder)
    assert {path.stem for path in (folder / "cases").glob("*.py")} == set(labels)
    for run in kept.values():
        assert set(run["cases"]) == set(labels)
        assert figures(run["cases"], labels) == run["figures"]


@pytest.mark.parametrize("folder", SETS, ids=lambda folder: folder.name)
def test_the_readme_shows_both_figures(folder: Path) -> None:
    readme = (HERE.parents[2] / "README.md").read_text(encoding="utf-8")
    for row in rows(folder.name, kept_of(folder)):
        assert row in readme


LABEL = {
    "verdict": "ill",
    "alarm_step": [10, 12],
    "alarms_ok": ["nonfinite"],
    "where": ["op:sqrt"],
    "line": [7],
    "samples": [3],
    "cause": "sqrt-zero",
    "remedies_ok": ["eps"],
}


def alarm(**fields: object) -> dict[str, object]:
    finding = {
        "severity": "error",
        "cause": "sqrt-zero",
        "source": {"file": "train.py", "line": 7},
        "op": "SqrtBackward0",
        "message": "sqrt of 0",
        "layers": [],
        "remedies": [{"id": "eps"}],
    }
    plain = {
        "kind": "nonfinite",
        "step": 11,
        "verdict": "confirmed",
        "message": "the loss is nan",
        "samples": [3],
        "report": {"findings": [finding]},
    }
    return plain | fields


def report(*alarms: object, **fields: object) -> dict[str, object]:
    return {"alarms": list(alarms), "script_exit": 0, "status": "ill"} | fields


def test_an_alarm_in_its_window_is_right_in_every_part() -> None:
    assert all(judged(report(alarm()), LABEL).values())


def test_an_alarm_before_the_window_is_a_false_one() -> None:
    score = judged(report(alarm(step=2), alarm()), LABEL)
    assert (score["right"], score["found"], score["line"]) == (False, True, True)


def test_a_recovered_alarm_and_an_open_one_without_a_finding_do_not_stand() -> None:
    for other in (alarm(verdict="recovered"), alarm(verdict="open", report={"findings": []})):
        assert not judged(report(other), LABEL)["found"]
        assert judged(report(other, status="healthy"), {"verdict": "healthy"})["right"]


def test_a_script_without_a_report_or_with_another_exit_is_not_intact() -> None:
    assert not judged({}, LABEL)["intact"]
    assert not judged(report(alarm(), script_exit=1), LABEL)["intact"]
