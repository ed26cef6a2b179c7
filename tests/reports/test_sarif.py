import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema.validators import validator_for

from gradcheck_cli.records.report import Waived
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.reports import render
from gradcheck_cli.rules import EVERY_RULE
from tests.reports.examples import EXAMPLES, SUITES, failed, finding, named, report, vanishing
from tests.reports.golden import compare
from tests.reports.hostile import suites

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
VALIDATOR = validator_for(SCHEMA)(SCHEMA)


def run_of(made: object) -> Any:
    log = json.loads(render(made, "sarif"))  # type: ignore[arg-type]
    VALIDATOR.validate(log)
    return log["runs"][0]


@pytest.mark.parametrize("example", SUITES)
def test_sarif(example: str) -> None:
    """The rules are left out of the golden: they change with every rule's docstring."""
    run = run_of(SUITES[example]())
    for result in run["results"]:
        result.pop("ruleIndex", None)
    kept = {key: run[key] for key in ("invocations", "results")}
    compare(f"test_sarif-{example}", json.dumps(kept, indent=2) + "\n", "json")


@pytest.mark.parametrize("example", [*EXAMPLES.values(), *SUITES.values()])
def test_the_schema_holds(example) -> None:
    assert run_of(example())["tool"]["driver"]["name"] == "gradcheck"


def test_the_schema_is_one_that_can_fail() -> None:
    log = json.loads(render(vanishing(), "sarif"))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert not VALIDATOR.is_valid(log)


def test_every_rule_is_there_with_its_explanation_and_remedies() -> None:
    rules = {rule["id"]: rule for rule in run_of(vanishing())["tool"]["driver"]["rules"]}
    assert list(rules) == [rule.code for rule in EVERY_RULE]
    assert all(rules[rule.code]["fullDescription"]["text"] == rule.explanation for rule in EVERY_RULE)
    assert "ReLU" in rules["GC201"]["help"]["text"]
    assert all(rule["shortDescription"]["text"] for rule in rules.values())


def test_a_result_points_to_its_rule_its_line_and_its_layers() -> None:
    run = run_of(vanishing())
    result = run["results"][0]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "GC201"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "deep_sigmoid.py"
    assert place["region"] == {"startLine": 14, "snippet": {"text": "x = torch.sigmoid(layer(x))"}}
    names = [each["fullyQualifiedName"] for each in result["locations"][0]["logicalLocations"]]
    assert names[0] == "deep_sigmoid.py:build_model/layers.0"
    assert len(names) == 6


def fingerprints(made: object) -> list[str]:
    return [each["partialFingerprints"]["gradcheckFinding/v2"] for each in run_of(made)["results"]]


def test_a_fingerprint_outlives_a_moved_line_and_tells_findings_and_checks_apart() -> None:
    line = SourceLine(file="x.py", line=9, code="    loss = x.log()")
    here = finding(("a",), source=line)
    moved = finding(("a",), source=replace(line, line=99, code="loss = x.log()"), message="else")
    assert fingerprints(report(exit_code=1, findings=(here,))) == fingerprints(report(exit_code=1, findings=(moved,)))
    others = [
        finding(("b",), source=line),
        finding(("a",), source=replace(line, code="loss = x.sqrt()")),
        finding(("a",), source=replace(line, file="y.py")),
        finding(("a",), source=line, cause="depth"),
        finding(("a",), source=line, code="GC202"),
        finding(("a",), source=None),
    ]
    made = fingerprints(report(exit_code=1, findings=(here, *others)))
    made += fingerprints(report(exit_code=1, name="other", findings=(here,)))
    assert len(set(made)) == len(made) == 8


def test_two_lines_with_one_text_are_two_and_one_fault_at_two_steps_is_one() -> None:
    line = SourceLine(file="train.py", line=9, code="loss.backward()")
    steps = [finding(("a",), source=line, message=f"step {step}: the loss is nan") for step in (3, 80)]
    twin = finding(("a",), source=replace(line, line=20), message="step 5: the loss is nan")
    first, again, other = fingerprints(report(exit_code=1, findings=(*steps, twin)))
    assert first == again != other


def test_a_failed_check_is_a_notification() -> None:
    invocation = run_of(SUITES["mixed"]())["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert [each["message"]["text"] for each in invocation["toolExecutionNotifications"]] == [
        "native_op: killed by SIGSEGV after 3.1 s"
    ]


def test_nothing_tells_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sources = [SourceLine(file=f, line=1) for f in (f"{tmp_path}/my net/a#b.py", "/home/someone/x.py", "../up.py")]
    findings = tuple(finding((f"l{i}",), source=s, why=f"see {s.file}:3") for i, s in enumerate(sources))
    run = run_of(
        SuiteReport(
            name=str(tmp_path / "gradcheck.yaml"),
            checks=(
                report(exit_code=1, findings=findings),
                named(f"{tmp_path}/m.py", failed, error=r"/home/someone/x.py:3 and C:\Users\someone\y.py"),
            ),
            exit_code=2,
            seconds=1.0,
        )
    )
    text = json.dumps(run)
    assert not any(word in text for word in ("someone", str(tmp_path)))
    uris = [
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in run["results"]
        if "physicalLocation" in result["locations"][0]
    ]
    assert uris == ["my%20net/a%23b.py"]


@settings(max_examples=60, deadline=None)
@given(suites())
def test_hostile_words_stay_words(made: SuiteReport) -> None:
    assert render(made, "sarif").isascii()
    run = run_of(made)
    ill = [(check, one) for check in made.checks for one in check.findings]
    assert len(run["results"]) == len(ill)
    for result in run["results"]:
        text = result["message"]["text"]
        assert "](" not in text.replace("\\](", "")
        assert all(c.isprintable() or c == "\n" for c in text)


def test_a_waived_finding_is_suppressed_with_its_reason() -> None:
    waived = Waived(code="GC401", rule="graph-cut", layers=("encoder.pos",), reason="frozen {by} [design](x)")
    (result,) = run_of(report(waived=(waived,), hidden=1))["results"]
    assert result["ruleId"] == "GC401"
    assert result["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "frozen {by} [design](x)"}
    ]
