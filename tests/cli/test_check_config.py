"""`gradcheck check` and the nearest gradcheck.yaml."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradcheck_cli.records.choices import FailOn
from gradcheck_cli.records.spec import CheckSpec, RuleWaiver
from gradcheck_cli.records.thresholds import Thresholds

POLICY = """\
version: 1
fail_on: error
select: [GC2]
ignore: {GC211: [], GC201: {layers: [encoder.*], reason: frozen soon}}
thresholds: {GC206: {saturated_share: 0.99}}
defaults: {seed: 9}
checks: [{model: other.py}]
"""
WAIVER = RuleWaiver(rule="GC201", layers=("encoder.*",), reason="frozen soon")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "gradcheck.yaml").write_text(POLICY, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "src")
    return tmp_path


def ruled(**fields: object) -> CheckSpec:
    policy = {
        "select": ("GC2",),
        "ignore": ("GC211",),
        "waivers": (WAIVER,),
        "fail_on": FailOn.ERROR,
        "thresholds": Thresholds(saturated_share=0.99),
    }
    return CheckSpec(model="model.py", try_budget=800, **{**policy, **fields})


def test_the_nearest_file_rules_the_verdict_and_the_report_says_so(stub, gradcheck, folder: Path) -> None:
    ended = gradcheck("check", "model.py", "--format", "json")
    assert stub.specs == [ruled()]
    assert json.loads(ended.out)["notes"][-1] == "the verdict follows ../gradcheck.yaml; --no-config leaves it out"


def test_the_command_line_wins(stub, gradcheck) -> None:
    gradcheck("check", "model.py", "--select", "GC3", "--fail-on", "warning", "--seed", "1")
    gradcheck("check", "model.py", "--ignore", "GC4")
    assert stub.specs == [
        ruled(select=("GC3",), ignore=(), fail_on=FailOn.WARNING, seed=1),
        ruled(ignore=("GC211", "GC4")),
    ]


def test_no_config_leaves_it_out(stub, gradcheck) -> None:
    ended = gradcheck("check", "model.py", "--no-config", "--format", "json")
    assert stub.specs == [CheckSpec(model="model.py", try_budget=800)]
    assert "the verdict follows" not in ended.out


def test_config_names_another_file(stub, gradcheck) -> None:
    Path("other.yaml").write_text("version: 1\nfail_on: never\n", encoding="utf-8")
    gradcheck("check", "model.py", "--config", "other.yaml")
    assert stub.specs == [CheckSpec(model="model.py", fail_on=FailOn.NEVER, try_budget=800)]


def test_a_file_without_a_policy_changes_nothing(stub, gradcheck, folder: Path) -> None:
    (folder / "gradcheck.yaml").write_text("version: 1\nchecks: [{model: a.py}]\n", encoding="utf-8")
    assert "the verdict follows" not in gradcheck("check", "model.py", "--format", "json").out
    assert stub.specs == [CheckSpec(model="model.py", try_budget=800)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "gradcheck.yaml:2:1: unknown key `fail-on`; did you mean `fail_on`?"),
        (("--config", "absent.yaml"), "there is no file absent.yaml"),
        (("--config", "x.yaml", "--no-config"), "--config and --no-config are both given"),
    ],
)
def test_a_bad_file_ends_with_2(stub, gradcheck, folder: Path, arguments: tuple[str, ...], message: str) -> None:
    (folder / "gradcheck.yaml").write_text("version: 1\nfail-on: error\n", encoding="utf-8")
    ended = gradcheck("check", "model.py", *arguments)
    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert stub.specs == []
