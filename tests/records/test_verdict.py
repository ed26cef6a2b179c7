"""The exit code of a suite, for every combination of what was found, `expect`, `fail_on`, baseline and format."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from gradcheck_cli.cli import run
from gradcheck_cli.records.choices import FailOn, Severity, Status
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.records.verdict import exit_code, gravest_first, suite_exit_code, with_status
from gradcheck_cli.reports import FORMATS
from gradcheck_cli.suite import journal
from gradcheck_cli.suite.baseline import Baseline, baseline_text, known_from
from gradcheck_cli.suite.runbaselines import RunBaselines
from tests.reports.examples import failed, finding, healthy, layer, report

BASELINES = ("none", "other", "holds")
FAIL_ON = (FailOn.ERROR, FailOn.WARNING, FailOn.NEVER)


def ill(severity: Severity) -> Report:
    return report(name="m.py", status=Status.ILL, exit_code=1, findings=(finding(("a", "b"), severity=severity),))


FOUND = {"healthy": healthy(), "warning": ill(Severity.WARNING), "error": ill(Severity.ERROR), "failed": failed()}
# For each fail_on (error, warning, never) one digit for each baseline: none, one without the finding, one with it.
TABLE = {
    ("healthy", ()): "000 000 000",
    ("healthy", ("GC201",)): "111 111 111",
    ("healthy", ("GC401",)): "111 111 111",
    ("healthy", ("failed",)): "111 111 111",
    ("warning", ()): "000 110 000",
    ("warning", ("GC201",)): "000 000 000",
    ("warning", ("GC401",)): "111 111 111",
    ("warning", ("failed",)): "111 111 111",
    ("error", ()): "110 110 000",
    ("error", ("GC201",)): "000 000 000",
    ("error", ("GC401",)): "111 111 111",
    ("error", ("failed",)): "111 111 111",
    ("failed", ()): "222 222 222",
    ("failed", ("GC201",)): "222 222 222",
    ("failed", ("GC401",)): "222 222 222",
    ("failed", ("failed",)): "000 000 000",
}
CASES = [
    (kind, expect, fail_on, baseline, int(codes.split()[i][j]))
    for (kind, expect), codes in TABLE.items()
    for i, fail_on in enumerate(FAIL_ON)
    for j, baseline in enumerate(BASELINES)
]


def made(kind: str, fail_on: FailOn) -> Report:
    found = FOUND[kind]
    return found if kind == "failed" else replace(found, exit_code=exit_code(found.findings, fail_on))


def baseline_of(kind: str, baseline: str) -> Baseline:
    return Baseline(checks={"m.py": known_from(FOUND[kind])} if baseline == "holds" else {})


@pytest.mark.parametrize(("kind", "expect", "fail_on", "baseline", "code"), CASES)
def test_one_check(kind: str, expect: tuple[str, ...], fail_on: FailOn, baseline: str, code: int) -> None:
    spec = CheckSpec(model="m.py", fail_on=fail_on)
    planned = PlannedCheck(name="m.py", spec=spec, expect=expect, baseline=None if baseline == "none" else "b")
    judged = RunBaselines(files={"b": baseline_of(kind, baseline)}, update=False).judged(planned, made(kind, fail_on))
    assert (judged.exit_code, judged.status) == (code, FOUND[kind].status)
    assert suite_exit_code([judged]) == code


@pytest.mark.parametrize("codes", list(product((0, 1, 2), repeat=2)))
def test_the_gravest_of_many_counts(codes: tuple[int, ...]) -> None:
    assert suite_exit_code(replace(healthy(), exit_code=code) for code in codes) == max(codes)
    assert suite_exit_code([]) == 0


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, object]:
    """What the one check of a suite comes to, by "is", in place of a process."""
    outcome: dict[str, object] = {}

    def stub(plan: list[PlannedCheck], *rest: object) -> Generator[tuple[int, Report], None, None]:
        if isinstance(outcome["is"], BaseException):
            raise outcome["is"]
        yield from ((place, made(str(outcome["is"]), planned.spec.fail_on)) for place, planned in enumerate(plan))

    monkeypatch.setattr(journal, "run_plan", stub)
    monkeypatch.chdir(tmp_path)
    return outcome


def ended(baseline: str, kind: str, fail_on: FailOn, expect: tuple[str, ...], *options: str) -> int:
    check = f"{{model: m.py, fail_on: {fail_on.value}, expect: {json.dumps(expect)}}}"
    Path("gradcheck.yaml").write_text(f"version: 1\nchecks: [{check}]\n")
    if baseline != "none":
        Path("b.json").write_text(baseline_text(baseline_of(kind, baseline)))
        options = ("--baseline", "b.json", *options)
    return run(["batch", "gradcheck.yaml", "--quiet", *options])


def through_the_command_line() -> Iterator[tuple[str, tuple[str, ...], FailOn, str, int, str]]:
    """Every row of the table in one format, the formats taking turns, and every kind and baseline in each of them."""
    formats = list(FORMATS)
    for index, case in enumerate(CASES):
        yield *case, formats[index % len(formats)]
    yield from ((*case, format) for case in CASES if case[1:3] == ((), FailOn.WARNING) for format in formats)


@pytest.mark.parametrize(("kind", "expect", "fail_on", "baseline", "code", "format"), through_the_command_line())
def test_the_command_ends_with_it(
    outcome: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    kind: str,
    expect: tuple[str, ...],
    fail_on: FailOn,
    baseline: str,
    code: int,
    format: str,
) -> None:
    outcome["is"] = kind
    assert ended(baseline, kind, fail_on, expect, "--format", format) == code
    assert capsys.readouterr().out


@pytest.mark.parametrize(("kind", "format"), product(FOUND, FORMATS))
def test_a_file_that_cannot_be_written_is_2(
    outcome: dict[str, object], capsys: pytest.CaptureFixture[str], kind: str, format: str
) -> None:
    outcome["is"] = kind
    assert ended("none", kind, FailOn.NEVER, (), "--output", f"{format}=/dev/full") == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(("baseline", "format"), product(BASELINES, FORMATS))
def test_an_interrupted_run_is_130_and_says_how_to_go_on(
    outcome: dict[str, object], capsys: pytest.CaptureFixture[str], baseline: str, format: str
) -> None:
    outcome["is"] = KeyboardInterrupt()
    assert ended(baseline, "healthy", FailOn.WARNING, (), "--format", format) == 130
    told = capsys.readouterr()
    assert "--resume" in told.err
    assert Path(".gradcheck-journal.jsonl").exists()
    assert (told.out == "") is (format == "table")


@pytest.mark.parametrize(
    "options",
    [
        ("-k", "m and"),
        ("-k", "nothing"),
        ("--shard", "3/2"),
        ("--max-memory", "much"),
        ("--journal", "gradcheck.yaml"),
        ("--journal", "none/j.jsonl"),
        ("--baseline", "gradcheck.yaml"),
        ("--update-baseline",),
        ("--drift", "1"),
        ("--format", "xml"),
    ],
    ids=lambda options: " ".join(options),
)
def test_what_cannot_be_asked_is_2(
    outcome: dict[str, object], capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    outcome["is"] = "healthy"
    assert ended("none", "healthy", FailOn.WARNING, (), *options) == 2
    assert capsys.readouterr().err.count("error: ") == 1
    assert Path("gradcheck.yaml").read_text().startswith("version: 1")


def test_a_shard_that_is_empty_is_0(outcome: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    outcome["is"] = "error"
    assert ended("none", "error", FailOn.WARNING, (), "--shard", "2/2") == 0
    assert capsys.readouterr().out == "no check · 0.0 s · exit 0\n"


def test_the_gravest_come_first_and_causes_before_what_follows() -> None:
    note, warning, error = (finding(("a",), severity=s) for s in (Severity.NOTE, Severity.WARNING, Severity.ERROR))
    later = replace(error, code="GC301")
    assert gravest_first((note, warning, error, later)) == (error, later, warning, note)


def test_a_layers_status_is_its_gravest_finding_above_a_note() -> None:
    findings = (
        finding(("a", "b"), code="GC601", severity=Severity.WARNING),
        finding(("b",), code="GC201", severity=Severity.ERROR),
        finding(("c", "d"), code="GC203", severity=Severity.NOTE),
    )
    layers = [layer(path, -1.0, status) for path, status in (("a", "ok"), ("b", "ok"), ("c", "ok"), ("d", "frozen"))]
    assert [one.status for one in with_status(layers, findings)] == ["GC601", "GC201", "ok", "frozen"]
