import re
from pathlib import Path

import pytest
from hypothesis import given, settings

from gradcheck_cli.records.report import Report
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.reports import render
from gradcheck_cli.reports.glyphs import shown
from tests.reports.examples import SUITES, failed, finding, healthy, report, vanishing
from tests.reports.golden import compare
from tests.reports.hostile import reports, suites

COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")


def parse(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the runner reads it (actions/runner, ActionCommand.cs)."""
    found = COMMAND.fullmatch(line)
    assert found, line
    properties = dict(pair.split("=", 1) for pair in found[2].split(","))
    return found[1], {key: unescaped(value) for key, value in properties.items()}, unescaped(found[3])


def unescaped(text: str) -> str:
    for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, character)
    return text


@pytest.mark.parametrize("example", SUITES)
def test_github(example: str) -> None:
    compare(f"test_github-{example}", render(SUITES[example](), "github"))


def test_an_annotation_stands_at_the_users_line() -> None:
    kind, properties, message = parse(render(vanishing(), "github").splitlines()[0])
    assert kind == "error"
    assert (properties["file"], properties["line"]) == ("deep_sigmoid.py", "14")
    assert properties["title"] == "GC201 vanishing-depth: deep_sigmoid.py:build_model"
    assert message.startswith("`layers.0` .. `layers.5` (6 layers) learn")


def test_a_healthy_check_has_a_summary_only() -> None:
    assert render(healthy(), "github") == "gradcheck: 1 check: 1 ok · 0.6 s · exit 0\n"


def test_a_failure_has_all_its_lines_in_one_annotation() -> None:
    kind, properties, message = parse(render(failed(), "github").splitlines()[0])
    assert (kind, properties) == ("error", {"title": "failed: broken_shape.py"})
    assert message == failed().error


def test_what_does_not_fail_the_check_is_a_notice() -> None:
    allowed = report(status=vanishing().status, exit_code=0, findings=(finding(("a",)),))
    assert parse(render(allowed, "github").splitlines()[0])[0] == "notice"


def test_a_source_elsewhere_has_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for file, shown_as in (("/usr/lib/x.py", None), ("../x.py", None), (f"{tmp_path}/net/x.py", "net/x.py")):
        ill = report(exit_code=1, findings=(finding(("a",), source=SourceLine(file=file, line=3)),))
        assert parse(render(ill, "github").splitlines()[0])[1].get("file") == shown_as


@settings(max_examples=150, deadline=None)
@given(reports())
def test_no_word_makes_a_command_of_its_own(made: Report) -> None:
    *commands, summary = render(made, "github").split("\n")[:-1]
    assert len(commands) == 1
    assert summary.startswith("gradcheck: ")
    _, properties, message = parse(commands[0])
    assert shown(made.name) in properties["title"]
    assert all(shown(one.message) in message for one in made.findings)


@settings(max_examples=100, deadline=None)
@given(suites())
def test_a_suite_is_one_line_a_finding(made: SuiteReport) -> None:
    lines = render(made, "github").split("\n")[:-1]
    assert len(lines) == len(made.checks) + 1
    for line in lines[:-1]:
        parse(line)
