import contextlib
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from gradcheck_cli.errors import ReportError
from gradcheck_cli.records.documents import report_from_dict, report_to_dict, run_from_dict
from gradcheck_cli.records.report import Finding, Layer, Remedy, Report, Trial
from gradcheck_cli.records.series import Series
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import Alarm, LayerCourse, Overhead, Point, Timeline
from gradcheck_cli.reports import Style, render
from gradcheck_cli.reports.jsonfile import read_saved
from tests.reports.examples import EXAMPLES, SUITES, vanishing
from tests.sweeping import drawn
from tests.timeline.sessions import SESSIONS

# hypothesis fills required fields by the records' annotations; those with defaults are named here.
WORDS = st.text(max_size=8)
NUMBERS = st.none() | st.floats()
TRIALS = st.builds(Trial, outcome=WORDS, before=NUMBERS, after=NUMBERS, unit=WORDS)
REMEDIES = st.builds(Remedy, code=WORDS, trial=TRIALS)
SOURCES = st.none() | st.builds(SourceLine, code=WORDS)
FINDINGS = st.builds(Finding, why=WORDS, source=SOURCES, remedies=st.lists(REMEDIES, max_size=2).map(tuple))
REPORTS = st.builds(
    Report,
    loss=NUMBERS,
    target=st.dictionaries(WORDS, st.none() | st.integers() | WORDS | st.lists(WORDS, max_size=2), max_size=3),
    findings=st.lists(FINDINGS, max_size=2).map(tuple),
    layers=st.lists(st.builds(Layer, source=SOURCES), max_size=2).map(tuple),
    series=st.lists(st.builds(Series), max_size=2).map(tuple),
    notes=st.lists(WORDS, max_size=2).map(tuple),
)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


@drawn(25, 500, REPORTS)
def test_round_trip(report: Report) -> None:
    text = render(report, "json")
    again = report_from_dict(json.loads(text, parse_constant=refuse))
    assert render(again, "json") == text
    assert render(report, "table", Style(width=80, verbose=True)) is not None


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_file_reads_back(example: str, tmp_path: Path) -> None:
    report = EXAMPLES[example]()
    path = tmp_path / "report.json"
    path.write_text(render(report, "json"), encoding="ascii")
    again = read_saved(path)
    assert report_to_dict(again) == report_to_dict(report)
    assert render(again, "table") == render(report, "table")


def test_the_contract() -> None:
    data = report_to_dict(EXAMPLES["nan"]())
    assert data["schema"] == "gradcheck-report/1"
    assert data["loss"] == "nan"
    assert data["findings"][1]["evidence"]["largest"] == "inf"
    assert data["findings"][1]["family"] == "nonfinite"
    assert list(data)[:4] == ["schema", "name", "status", "exit_code"]
    trial = report_to_dict(vanishing())["findings"][0]["remedies"][0]["trial"]
    assert list(trial) == ["outcome", "before", "after", "unit", "note", "steps", "loss_without", "loss_with", "patch"]
    assert (trial["outcome"], trial["before"], trial["after"], trial["unit"]) == ("fixed", -8.5, -1.9, "decades")


def test_numbers_have_seven_significant_digits() -> None:
    report = dataclasses.replace(vanishing(), loss=math.pi)
    assert report_to_dict(report)["loss"] == 3.141593


def test_nonfinite_numbers_read_back() -> None:
    data = {**report_to_dict(vanishing()), "loss": "-inf"}
    assert report_from_dict(data).loss == -math.inf


def test_fields_of_a_later_version_are_ignored() -> None:
    assert report_from_dict({**report_to_dict(vanishing()), "later": 1}).name == vanishing().name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "truncated or corrupt JSON at line 1"),
        ('{"schema": "gradcheck-report/1", "na', "truncated or corrupt JSON at line 1, column"),
        ("\x00\x01", "truncated or corrupt"),
        ('{"loss": NaN}', "NaN is not JSON"),
        ("[" * 200_000, "not a JSON report"),
        ("[]", "a report is a JSON object, this is a list"),
        ("null", "this is null"),
        ("{}", '"schema" should be "gradcheck-report/1"'),
        ('{"schema": 3}', '"schema" should be'),
        (
            '{"schema": "gradcheck-report/9"}',
            'schema "gradcheck-report/9" is not one that this version reads',
        ),
        ('{"schema": "gradcheck-suite/1"}', "name is missing"),
        ('{"schema": "gradcheck-report/1"}', "name is missing"),
    ],
)
def test_corrupt_files(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReportError) as caught:
        read_saved(path)
    assert message in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="is not there"):
        read_saved(tmp_path / "none.json")
    with pytest.raises(ReportError, match="is a folder"):
        read_saved(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReportError, match="is not UTF-8"):
        read_saved(tmp_path / "binary")


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("name",), 3, "name should be a string, found an integer"),
        (("exit_code",), True, "exit_code should be an integer, found true or false"),
        (("status",), "well", "status should be one of healthy, ill, unknown, failed, found 'well'"),
        (("status",), [], "status should be one of"),
        (("loss",), "2.3", "loss should be a number, found a string"),
        (("loss",), 10**400, "loss is too large for a number"),
        (("layers",), {}, "layers should be a list, found an object"),
        (("layers", 0, "decades"), [], "layers[0].decades should be a number, found a list"),
        (("findings", 0, "source"), 1, "findings[0].source should be an object, found an integer"),
        (
            ("findings", 0, "remedies", 1, "title"),
            None,
            "findings[0].remedies[1].title should be a string, found null",
        ),
        (("findings", 0, "evidence", "decades"), True, "findings[0].evidence.decades should be a number"),
        (("seconds",), [], "seconds should be an object, found a list"),
    ],
)
def test_wrong_types(keys: tuple[Any, ...], value: object, message: str) -> None:
    data = report_to_dict(vanishing())
    place: Any = data
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    with pytest.raises(ReportError) as caught:
        report_from_dict(data, "ci.json")
    assert message in caught.value.message
    assert caught.value.message.startswith("ci.json: ")


@drawn(25, 500, st.data())
def test_any_damage_is_a_report_error(data: st.DataObject) -> None:
    text = render(vanishing(), "json")
    keys = data.draw(st.sampled_from(sorted(report_to_dict(vanishing()))))
    junk = data.draw(st.recursive(st.none() | st.booleans() | st.integers() | WORDS, st.lists, max_leaves=3))
    damaged = {**json.loads(text), keys: junk}
    with contextlib.suppress(ReportError):
        render(report_from_dict(damaged), "table")


@pytest.mark.parametrize("example", SUITES)
def test_a_suite_reads_back(example: str, tmp_path: Path) -> None:
    path = tmp_path / "suite.json"
    path.write_text(render(SUITES[example](), "json"), encoding="ascii")
    suite = read_saved(path)
    assert render(suite, "json") == path.read_text(encoding="ascii")
    assert [one.name for one in suite.checks] == [one.name for one in SUITES[example]().checks]
    assert render(read_saved(path), "json") == path.read_text(encoding="ascii")


def test_a_suite_is_its_fields_around_the_reports() -> None:
    data = json.loads(render(SUITES["mixed"](), "json"))
    assert list(data) == ["schema", "name", "checks", "exit_code", "seconds", "error", "notes"]
    assert data["schema"] == "gradcheck-suite/1"
    assert data["checks"] == [report_to_dict(one) for one in SUITES["mixed"]().checks]


def test_damage_in_a_suite_is_told_with_its_place(tmp_path: Path) -> None:
    data = json.loads(render(SUITES["well"](), "json"))
    data["checks"][1]["findings"] = 3
    (tmp_path / "suite.json").write_text(json.dumps(data))
    with pytest.raises(ReportError, match=r"checks\[1\]\.findings should be a list, found an integer"):
        read_saved(tmp_path / "suite.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": "gradcheck-suite/1"}', "name is missing"),
        ('{"schema": "gradcheck-suite/1", "name": "a", "checks": 3}', "checks should be a list, found an integer"),
        ('{"schema": "gradcheck-comparison/1"}', '"schema" should be "gradcheck-report/1"'),
    ],
)
def test_corrupt_suites(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReportError) as caught:
        read_saved(path)
    assert message in caught.value.message


@pytest.mark.parametrize("example", SESSIONS)
def test_a_run_reads_back(example: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(render(SESSIONS[example]().timeline(), "json"), encoding="ascii")
    again = read_saved(path)
    assert isinstance(again, Timeline)
    assert render(again, "json") == path.read_text(encoding="ascii")
    assert render(again, "table") == render(SESSIONS[example]().timeline(), "table")


def test_the_contract_of_a_run() -> None:
    data = json.loads(render(SESSIONS["nan"]().timeline(), "json"), parse_constant=refuse)
    assert list(data) == [
        *("schema", "command", "status", "exit_code", "script_exit", "steps", "ranks", "alarms", "diagnoses"),
        *(
            "series",
            "layers",
            "overhead",
            "notes",
            "versions",
            "seconds",
            "error",
            "optimizers",
            "evaluations",
            "trial_passes",
        ),
    ]
    assert (data["schema"], data["command"], data["status"]) == (
        "gradcheck-run/1",
        ["train.py", "--epochs", "2"],
        "ill",
    )
    (alarm,) = data["alarms"]
    assert list(alarm) == [
        *("kind", "step", "last_step", "rank", "optimizer", "optimizer_step", "micro_batch", "source", "verdict"),
        *("message", "evidence", "samples", "replay", "report"),
    ]
    assert (alarm["kind"], alarm["verdict"], alarm["replay"], alarm["samples"]) == (
        *("nonfinite", "confirmed", "exact"),
        [6],
    )
    assert alarm["source"] == {"file": "train.py", "line": 41, "code": "    loss.backward()"}
    assert alarm["report"]["schema"] == data["diagnoses"][0]["report"]["schema"] == "gradcheck-report/1"
    assert report_from_dict(alarm["report"]).findings[0].code == "GC630"
    assert list(data["diagnoses"][0]) == ["step", "why", "replay", "report"]
    assert data["series"]["loss"][0] == [1, 2.31, 2.31, 2.31]
    assert data["series"]["grad_norm"][-1] == [160, "nan", "nan", "nan"]
    assert data["overhead"] == {"ms_per_step": 0.4, "percent": 1.066667}
    layered = json.loads(render(SESSIONS["layered"]().timeline(), "json"))
    gradient = {"steps": [1, 8, 64], "relative_gradient": [None, 0.02, 0.02]}
    assert layered["layers"]["net.2"] == {**gradient, "output_steps": [], "output_rms": []}
    assert json.loads(render(SESSIONS["asked"]().timeline(), "json"))["script_exit"] is None


ALARMS = st.builds(
    Alarm,
    samples=st.none() | st.lists(st.integers(), max_size=2).map(tuple),
    source=SOURCES,
    report=REPORTS,
    evidence=st.dictionaries(WORDS, st.floats() | st.integers(), max_size=2),
)
RUNS = st.builds(
    Timeline,
    script_exit=st.none() | st.integers(),
    alarms=st.lists(ALARMS, max_size=1).map(tuple),
    series=st.dictionaries(WORDS, st.lists(st.builds(Point), max_size=3).map(tuple), max_size=2),
    layers=st.dictionaries(WORDS, st.builds(LayerCourse), max_size=1),
    overhead=st.none() | st.builds(Overhead),
)


@drawn(15, 300, RUNS)
def test_round_trip_of_a_run(run: Timeline) -> None:
    text = render(run, "json")
    again = run_from_dict(json.loads(text, parse_constant=refuse))
    assert render(again, "json") == text
    assert render(again, "table", Style(width=80, verbose=True)) is not None


def test_damage_in_a_run_is_told_with_its_place(tmp_path: Path) -> None:
    data = json.loads(render(SESSIONS["nan"]().timeline(), "json"))
    data["alarms"][0]["report"]["findings"][0]["severity"] = "fatal"
    (tmp_path / "run.json").write_text(json.dumps(data))
    with pytest.raises(ReportError, match=r"alarms\[0\]\.report\.findings\[0\]\.severity should be one of"):
        read_saved(tmp_path / "run.json")
    with pytest.raises(ReportError, match="holds a run, not one report"):
        report_from_dict(data)
