"""What is known fails nothing, what is new does, what is fixed is told."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from gradcheck_cli.errors import ConfigError
from gradcheck_cli.records.choices import FailOn, Severity, Status
from gradcheck_cli.records.drift import Drift
from gradcheck_cli.records.report import Report, Waived
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.suite.baseline import (
    Baseline,
    KnownCheck,
    baseline_text,
    fixed_since,
    held_against,
    known_from,
    marked,
    read_baseline,
    updated,
)
from tests.reports.examples import failed, finding, healthy, layer, report, vanishing


def planned(name: str = "m", **fields: object) -> PlannedCheck:
    own = {key: fields.pop(key) for key in ("expect", "baseline", "drift") if key in fields}
    return PlannedCheck(name=name, spec=CheckSpec(model="m.py", **fields), **own)


def ill(*layers: str, **changes: object) -> Report:
    return report(status=Status.ILL, exit_code=1, findings=(finding(layers, **changes),))


def test_a_finding_is_known_by_code_and_layers() -> None:
    known = known_from(ill("a", "b"))
    same, fewer = marked(planned(), ill("b", "a"), known), marked(planned(), ill("a"), known)
    assert [(r.exit_code, r.status, r.findings[0].known) for r in (same, fewer)] == [(0, Status.ILL, True)] * 2
    for other in (ill("a", "c"), ill("a", code="GC203")):
        new = marked(planned(), other, known)
        assert (new.exit_code, new.findings[0].known) == (1, False)


def test_a_finding_that_spread_is_new_and_says_where() -> None:
    spread = marked(planned(), ill("a", "b", "c"), known_from(ill("a", "b")))
    assert spread.notes == ("GC201: `c` is new, its other layers are in the baseline",)
    assert marked(planned(), ill("c"), known_from(ill("a"))).notes == ()


def test_a_finding_without_layers_can_be_known() -> None:
    bare = report(status=Status.ILL, exit_code=1, findings=(replace(finding(("a",)), layers=()),))
    assert known_from(bare).findings == {"GC201": ("",)}
    assert marked(planned(), bare, known_from(bare)).exit_code == 0
    assert fixed_since(planned(), healthy(), known_from(bare)) == ("fixed since the baseline: GC201",)


@pytest.mark.parametrize(("fail_on", "code"), [(FailOn.ERROR, 0), (FailOn.WARNING, 1), (FailOn.NEVER, 0)])
def test_a_new_finding_fails_as_the_gate_says(fail_on: FailOn, code: int) -> None:
    found = ill("a", severity=Severity.WARNING)
    assert marked(planned(fail_on=fail_on), found, None).exit_code == code


def test_a_note_is_neither_known_nor_new() -> None:
    noted = report(findings=(finding(("a",), severity=Severity.NOTE),))
    assert known_from(noted).findings == {}
    assert marked(planned(), noted, None).findings[0].known is None


def test_a_check_that_could_not_be_made_is_neither_known_nor_lost() -> None:
    before = Baseline(checks={"m": known_from(ill("a")), "gone": known_from(ill("a"))})
    assert updated(before, {"m": failed()}, {"m", "other"}) == Baseline(checks={"m": before.checks["m"]})
    assert updated(Baseline(checks={}), {"m": failed()}, {"m"}).checks == {}
    assert marked(planned(), failed(), before.checks["m"]).exit_code == 2
    assert fixed_since(planned(), failed(), before.checks["m"]) == ()


def test_known_findings_do_not_hide_that_a_script_ended_badly() -> None:
    crashed = replace(ill("a"), exit_code=2, error="the script ended with 1")
    told = marked(planned(), crashed, known_from(crashed))
    assert (told.exit_code, told.status, told.findings[0].known) == (2, Status.ILL, True)


def test_what_is_fixed_in_a_run_follows_the_names_of_its_alarms() -> None:
    known = known_from(ill("a", code="GC630"))
    for select, told in ((("nonfinite",), 1), (("spike",), 0)):
        run = PlannedCheck(name="r", spec=RunOptions(command=("train.py",), select=select))
        assert len(fixed_since(run, healthy(), known)) == told


def test_an_update_replaces_what_ran_and_prunes_what_is_planned_no_more() -> None:
    before = Baseline(checks={name: known_from(ill("a")) for name in ("ran", "left", "gone")})
    after = updated(before, {"ran": healthy()}, {"ran", "left"})
    assert sorted(after.checks) == ["left", "ran"]
    assert after.checks["ran"].findings == {}
    assert after.checks["left"] == before.checks["left"]


def test_what_is_fixed_is_told_unless_nobody_looks_for_it() -> None:
    known = known_from(ill("a", "b"))
    assert fixed_since(planned(), ill("b"), known) == ("fixed since the baseline: GC201 `a`",)
    assert fixed_since(planned(), healthy(), known) == ("fixed since the baseline: GC201 `a`, `b`",)
    assert fixed_since(planned(ignore=("GC2",)), healthy(), known) == ()
    waived = report(waived=(Waived(code="GC201", rule="vanishing-depth", layers=("a", "b"), reason="soon"),))
    assert fixed_since(planned(), waived, known) == ()


def test_the_file_is_sorted_and_comes_back(tmp_path: Path) -> None:
    made = Baseline(checks={"z": known_from(vanishing()), "a": known_from(healthy())})
    text = baseline_text(made)
    assert list(json.loads(text)["checks"]) == ["a", "z"]
    assert text == baseline_text(Baseline(checks=dict(reversed(made.checks.items()))))
    (tmp_path / "b.json").write_text(text)
    assert read_baseline(str(tmp_path / "b.json")) == made
    assert made.checks["z"].decades["layers.1"] == -7.6


def test_a_gradient_without_a_scale_is_left_out() -> None:
    odd = report(layers=(layer("a", None), layer("b", -math.inf), layer("c", math.nan), layer("d", -1.234)))
    assert known_from(odd).decades == {"d": -1.23}


GOOD = '{"schema": "gradcheck-baseline/1", "checks": {"m": {"findings": {"GC201": ["a"]}, "decades": {"a": -1}}}}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "\0",
        "[" * 100_000,
        GOOD[:40],
        GOOD.replace("/1", "/2"),
        GOOD.replace('["a"]', '"a"'),
        GOOD.replace('["a"]', "[1]"),
        GOOD.replace("-1", "NaN"),
        GOOD.replace("-1", "null"),
        GOOD.replace('"checks"', '"check"'),
        GOOD.replace('{"m"', '["m"').replace("}}}}", "}}]}"),
        "<<<<<<< HEAD\n" + GOOD,
    ],
    ids=range(14),
)
def test_a_malformed_file_is_one_clear_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_baseline(str(path))
    assert str(raised.value).startswith(f"{path}: not a baseline: ")
    assert raised.value.hint


def test_a_missing_or_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such baseline"):
        read_baseline(str(tmp_path / "none.json"))
    assert read_baseline(str(tmp_path / "none.json"), missing_ok=True).checks == {}
    with pytest.raises(ConfigError, match="is a folder"):
        read_baseline(str(tmp_path), missing_ok=True)
    (tmp_path / "latin.json").write_bytes(b'"\xe9"')
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read_baseline(str(tmp_path / "latin.json"))


def test_a_check_is_held_against_its_own_entry() -> None:
    known = KnownCheck(decades={"a": -1.0, "ill": -9.0}, findings={"GC201": ("ill",)})
    assert held_against(planned(drift=2.0), known).spec.drift == Drift(limit=2.0, before={"a": -1.0})
    assert held_against(planned(drift=2.0), None).spec.drift is None
    assert held_against(planned(), known).spec.drift is None
