from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gradcheck_cli.reports import COMPARING, FORMATS, Style, render
from gradcheck_cli.reports.comparison import compare
from gradcheck_cli.reports.jsonfile import read_saved
from tests.reports.examples import EXAMPLES, SUITES, healthy, vanishing
from tests.timeline.sessions import SESSIONS


def _timeless(text: str) -> str:
    return re.sub(r'timestamp="[^"]*"', "", text)


@pytest.fixture
def saved(tmp_path: Path):
    def save(example: str) -> str:
        path = tmp_path / f"{example}.json"
        path.write_text(render(EXAMPLES[example](), "json"), encoding="utf-8")
        return str(path)

    return save


@pytest.mark.parametrize("example", EXAMPLES)
def test_show_gives_what_check_printed_and_ends_with_0(gradcheck, saved, example: str) -> None:
    for format in FORMATS:
        ended = gradcheck("show", saved(example), "--format", format)
        assert ended.code == 0
        # A page draws to more digits than JSON keeps.
        report = read_saved(saved(example)) if format == "html" else EXAMPLES[example]()
        assert _timeless(ended.out) == _timeless(render(report, format, Style(width=100)))


def test_show_converts(gradcheck, saved, tmp_path: Path) -> None:
    assert gradcheck("show", saved("nan"), "-q", "--output", f"json={tmp_path}/again.json").code == 0
    assert (tmp_path / "again.json").read_text() == Path(saved("nan")).read_text()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "gradcheck-report/2"}'])
def test_a_file_that_is_no_report(gradcheck, tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    ended = gradcheck("show", str(path))
    assert ended.code == 2
    assert ended.out == ""
    assert f"error: {path}: " in ended.err
    assert "hint: " in ended.err


def test_a_file_that_is_not_there(gradcheck, tmp_path: Path) -> None:
    ended = gradcheck("show", str(tmp_path / "none.json"))
    assert ended.code == 2
    assert "none.json is not there" in ended.err


@pytest.fixture
def saved_suite(tmp_path: Path):
    def save(example: str) -> str:
        path = tmp_path / f"suite-{example}.json"
        path.write_text(render(SUITES[example](), "json"), encoding="utf-8")
        return str(path)

    return save


@pytest.mark.parametrize("format", FORMATS)
def test_a_suite_in_every_format(gradcheck, saved_suite, tmp_path: Path, format: str) -> None:
    out = tmp_path / "out"
    ended = gradcheck("show", saved_suite("mixed"), "--format", format, "--output", f"{format}={out}")
    assert ended.code == 0
    suite = read_saved(saved_suite("mixed"))
    assert _timeless(ended.out) == _timeless(render(suite, format, Style(width=100)))
    assert _timeless(out.read_text(encoding="utf-8")) == _timeless(ended.out)


@pytest.mark.parametrize("format", COMPARING)
def test_two_runs_compared(gradcheck, saved, format: str) -> None:
    before, after = saved("vanishing"), saved("healthy")
    ended = gradcheck("show", before, after, "--format", format)
    assert ended.code == 0
    assert ended.out == render(compare(vanishing(), healthy(), (before, after)), format, Style(width=100))


def test_two_suites_compared(gradcheck, saved_suite) -> None:
    ended = gradcheck("show", saved_suite("well"), saved_suite("mixed"))
    assert ended.code == 0
    assert "only in the later run" in ended.out


def test_a_report_and_a_suite_are_not_compared(gradcheck, saved, saved_suite) -> None:
    ended = gradcheck("show", saved("healthy"), saved_suite("mixed"))
    assert ended.code == 2
    assert "one holds a report, the other a suite" in ended.err


@pytest.mark.parametrize("format", [name for name in FORMATS if name not in COMPARING])
def test_a_format_that_cannot_compare(gradcheck, saved, tmp_path: Path, format: str) -> None:
    for option in (("--format", format), ("--output", f"{format}={tmp_path}/out")):
        ended = gradcheck("show", saved("vanishing"), saved("healthy"), *option)
        assert ended.code == 2
        assert f"`{format}` cannot show two runs compared" in ended.err


@pytest.fixture
def saved_run(tmp_path: Path):
    def save(example: str) -> str:
        path = tmp_path / f"run-{example}.json"
        path.write_text(render(SESSIONS[example]().timeline(), "json"), encoding="utf-8")
        return str(path)

    return save


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "junit"])  # which has the time in it
@pytest.mark.parametrize("example", SESSIONS)
def test_a_run_is_shown_as_it_was_printed(gradcheck, saved_run, example: str, format: str) -> None:
    ended = gradcheck("show", saved_run(example), "--format", format)
    assert ended.code == 0
    assert ended.out == render(SESSIONS[example]().timeline(), format, Style(width=100))


def test_a_run_is_not_compared_with_a_report(gradcheck, saved, saved_run) -> None:
    ended = gradcheck("show", saved_run("nan"), saved("healthy"))
    assert ended.code == 2 and "one holds the run of a script, the other a report" in ended.err
    ended = gradcheck("show", saved("healthy"), saved_run("nan"))
    assert ended.code == 2 and "one holds a report, the other the run of a script" in ended.err


@pytest.mark.parametrize("format", COMPARING)
def test_two_runs_are_compared(gradcheck, saved_run, format: str) -> None:
    ended = gradcheck("show", saved_run("healthy"), saved_run("nan"), "--format", format)
    assert ended.code == 0
    if format == "json":
        assert json.loads(ended.out)["checks"][0]["courses"][0]["series"] == "loss"
    else:
        assert "GC630" in ended.out and "grad" in ended.out and "differs from the first step on" in ended.out
