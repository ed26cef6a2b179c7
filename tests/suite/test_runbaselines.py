"""What each check of a run is held against, and what is written of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gradcheck_cli.errors import ConfigError, UsageError
from gradcheck_cli.records.drift import Drift
from gradcheck_cli.suite.baseline import Baseline, KnownCheck, baseline_text, known_from
from gradcheck_cli.suite.runbaselines import RunBaselines, load_known
from tests.reports.examples import failed, healthy
from tests.suite.test_baseline import ill, planned


def test_an_update_takes_everything_as_known_and_holds_nothing_against_it() -> None:
    known = RunBaselines(files={"b": Baseline(checks={"m": KnownCheck(decades={"a": -1.0})})}, update=True)
    one = planned(baseline="b", drift=0.5)
    assert known.held(one) == one
    assert known.judged(one, ill("a")).exit_code == 0
    ((path, text),) = known.documents([(one, ill("a"))], [one])
    assert (path, json.loads(text)["checks"]["m"]["findings"]) == ("b", {"GC201": ["a"]})
    assert list(replace(known, update=False).documents([(one, ill("a"))], [one])) == []


def test_what_is_known_does_not_count_as_unexpected() -> None:
    known = RunBaselines(files={"b": Baseline(checks={"m": known_from(ill("a"))})}, update=False)
    assert known.judged(planned(baseline="b", expect=("GC201",)), ill("a")).exit_code == 0
    assert known.judged(planned(baseline="b", expect=("GC401",)), ill("a")).exit_code == 1
    two = replace(ill("a"), findings=(*ill("a").findings, *ill("b", code="GC401").findings))
    assert known.judged(planned(baseline="b", expect=("GC401",)), two).exit_code == 0


@pytest.mark.parametrize(("update", "drift"), [(True, None), (False, 1.0)])
def test_an_update_or_a_drift_needs_a_file(update: bool, drift: float | None) -> None:
    with pytest.raises(UsageError):
        load_known([planned(drift=drift)], update=update)


def written(path: Path, **checks: KnownCheck) -> str:
    path.write_text(baseline_text(Baseline(checks=checks)))
    return str(path)


def test_each_file_is_read_once_and_each_check_held_against_its_own_entry(tmp_path: Path) -> None:
    first = written(tmp_path / "a.json", m=KnownCheck(decades={"x": -1.0}))
    second = written(tmp_path / "b.json", m=KnownCheck(decades={"x": -2.0}))
    plan = [planned(baseline=path, drift=0.5) for path in (first, second, first)]
    known = load_known([*plan, planned()], update=False)
    assert list(known.files) == sorted([first, second])
    assert [known.held(one).spec.drift for one in plan] == [
        Drift(limit=0.5, before={"x": value}) for value in (-1.0, -2.0, -1.0)
    ]
    assert known.held(planned()) == planned()


def test_a_check_without_a_baseline_is_judged_by_what_it_expects_alone() -> None:
    known = RunBaselines(files={}, update=False)
    assert known.judged(planned(), ill("a")) == ill("a")
    assert known.judged(planned(expect=("GC201",)), ill("a")).exit_code == 0
    assert known.fixed(planned(), healthy()) == ()


def test_a_check_that_the_file_does_not_hold_has_nothing_known(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", other=known_from(ill("a")))
    known = load_known([planned(baseline=path)], update=False)
    judged = known.judged(planned(baseline=path), ill("a"))
    assert (judged.exit_code, judged.findings[0].known) == (1, False)


def test_what_is_gone_is_told_of_the_checks_own_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", m=known_from(ill("a")))
    known = load_known([planned(baseline=path)], update=False)
    assert known.fixed(planned(baseline=path), healthy()) == ("fixed since the baseline: GC201 `a`",)


def test_an_update_prunes_what_is_planned_no_more_and_keeps_what_did_not_run(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", **{name: known_from(ill("a")) for name in ("ran", "left", "gone")})
    plan = [planned(name, baseline=path) for name in ("ran", "left")]
    known = load_known(plan, update=True)
    ((to, text),) = known.documents([(plan[0], healthy())], plan)
    assert to == path
    assert {name: bool(one["findings"]) for name, one in json.loads(text)["checks"].items()} == {
        "left": True,
        "ran": False,
    }
    ((_, unpruned),) = known.documents([(plan[0], failed())])
    assert sorted(json.loads(unpruned)["checks"]) == ["gone", "left", "ran"]


def test_a_file_that_is_to_be_updated_need_not_exist(tmp_path: Path) -> None:
    plan = [planned(baseline=str(tmp_path / "new.json"))]
    assert load_known(plan, update=True).files == {plan[0].baseline: Baseline(checks={})}
    with pytest.raises(ConfigError, match="there is no such baseline"):
        load_known(plan, update=False)
