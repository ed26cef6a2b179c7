"""Verdicts on models from public reports stay what they came to last; some of them in CI, all under `-m unseen`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unseen.score import HERE, checked, figures, judged, labels_of, rows

SETS = sorted(path.parent for path in HERE.glob("*/labels.yaml"))
QUICK = {
    "connections": "bike_demand",
    "losses": "barometer_raw",
    "nonfinite": "async_policy",
    "verdicts_first": "binary_hash_sigmoid",
    "verdicts_second": "citation_fewlabels",
}
"""The case of a set that CI checks: ill and healthy ones that take a second or two; of the others none."""


def cases(*, quick: bool) -> list[pytest.ParameterSet]:
    """The labelled cases of every set that CI checks, or the others."""
    return [
        pytest.param(folder, name, id=f"{folder.name}/{name}")
        for folder in SETS
        for name in sorted(labels_of(folder))
        if (name == QUICK.get(folder.name)) == quick
    ]


def assert_as_recorded(folder: Path, name: str) -> None:
    label = labels_of(folder)[name]
    latest = json.loads((folder / "figures.json").read_text(encoding="ascii"))["latest"]["cases"][name]
    now = judged(checked(folder, name), label)
    assert (now.right, now.found) == (latest["right"], latest["found"])


@pytest.mark.parametrize(("folder", "name"), cases(quick=True))
def test_some_verdicts_stay(folder: Path, name: str) -> None:
    assert_as_recorded(folder, name)


@pytest.mark.unseen
@pytest.mark.parametrize(("folder", "name"), cases(quick=False))
def test_all_verdicts_stay(folder: Path, name: str) -> None:
    assert_as_recorded(folder, name)


@pytest.mark.parametrize("folder", SETS, ids=lambda folder: folder.name)
def test_every_case_is_labelled_and_scored(folder: Path) -> None:
    labels = labels_of(folder)
    assert {path.stem for path in (folder / "cases").glob("*.py")} == set(labels)
    kept = json.loads((folder / "figures.json").read_text(encoding="ascii"))
    for run in kept.values():
        assert set(run["cases"]) == set(labels)


@pytest.mark.parametrize("folder", SETS, ids=lambda folder: folder.name)
def test_the_readme_shows_both_figures(folder: Path) -> None:
    readme = (HERE.parents[1] / "README.md").read_text(encoding="utf-8")
    for row in rows(folder.name, json.loads((folder / "figures.json").read_text(encoding="ascii"))):
        assert row in readme


LABEL = {
    "verdict": ["vanishing"],
    "where": ["net.0", "op:exp"],
    "cause": "depth",
    "cause_alt": ["small-init"],
    "acceptable_remedies": ["residual"],
}


def finding(**fields: object) -> dict[str, object]:
    plain = {
        "code": "GC201",
        "cause": "small-init",
        "severity": "error",
        "family": "vanishing",
        "layers": ["net.0.weight"],
        "op": None,
        "message": "it vanishes",
        "remedies": [{"id": "residual"}],
    }
    return plain | fields


def test_a_hit_names_culprit_cause_and_cure() -> None:
    score = judged({"findings": [finding()]}, LABEL)
    assert (score.right, score.culprit, score.cause, score.first_remedy) == (True, True, True, True)
    assert score.found == ["GC201 small-init"]


def test_a_note_or_another_family_is_no_hit() -> None:
    for other in (finding(severity="note"), finding(family="exploding")):
        score = judged({"findings": [other]}, LABEL)
        assert (score.right, score.culprit, score.cause) == (False, False, False)


def test_what_can_be_told_as_a_note_only_is_a_hit_where_the_note_names_the_cause() -> None:
    label = LABEL | {"told": "note"}
    note = finding(severity="note")
    score = judged({"findings": [note, note | {"cause": "frozen"}]}, label)
    assert (score.right, score.culprit, score.cause, score.first_remedy) == (True, True, True, None)
    assert score.found == ["GC201 small-init (note)"]
    assert not judged({"findings": [note | {"cause": "frozen"}]}, label).right


def test_a_healthy_case_is_right_without_findings_and_wrong_where_it_was_not_checked() -> None:
    healthy = LABEL | {"verdict": ["healthy"]}
    found = {
        "quiet": judged({"findings": [finding(severity="note")]}, healthy),
        "loud": judged({"findings": [finding()]}, healthy),
        "failed": judged({"status": "failed"}, healthy),
    }
    assert [score.right for score in found.values()] == [True, False, False]
    assert figures(found, dict.fromkeys(found, healthy))["false alarms"] == 2
    strict = healthy | {"never": ["small-init"]}
    assert judged({"findings": [finding(severity="note")]}, strict).found == ["GC201 small-init (note)"]
