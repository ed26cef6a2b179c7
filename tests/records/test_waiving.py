"""The line that waives a finding covers all layers of it and none besides, and can be pasted out of every format."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.cli import run
from gradcheck_cli.config import load_config, load_policy
from gradcheck_cli.config.plans import ignored
from gradcheck_cli.config.yamlmodels import File
from gradcheck_cli.records.report import Finding, Report
from gradcheck_cli.records.spec import RuleWaiver
from gradcheck_cli.records.waiving import waiver_of
from gradcheck_cli.reports import Style, render
from gradcheck_cli.rules import waive
from gradcheck_cli.yamltext import parse
from tests.reports import examples
from tests.reports.hostile import PIECES
from tests.timeline.sessions import SESSIONS

ODD = ("a", "b", "0", "*", "?", "[!a]", "'", '"', "\\", "...", "no", "null", "1e3", ": ", "#", "\x85", "\ufeff", "ø")
PATHS = st.lists(st.sampled_from((*PIECES, *ODD)) | st.text(max_size=4), max_size=3).map(".".join)


def about(*layers: str, among: tuple[str, ...] = ()) -> tuple[Finding, Report]:
    """A finding of these layers in a model that has some others."""
    finding = replace(examples.finding(("a",)), layers=layers)
    rows = tuple(examples.layer(path, -1.0) for path in (*layers, *among))
    return finding, examples.report(findings=(finding,), layers=rows)


def meant(line: str) -> tuple[RuleWaiver, ...]:
    """The waivers of a gradcheck.yaml that holds this line."""
    rules, waivers = ignored([File.model_validate(parse(f"version: 1\n{line}\n").data)])
    assert rules == ()
    return waivers


@pytest.mark.parametrize(
    ("layers", "among", "written"),
    [
        (("head",), ("body",), "[head]"),
        (("body.0", "body.1"), ("head",), "[body.*]"),
        (("body.0", "body.1"), ("body.2",), "[body.0, body.1]"),
        (("body.a.0", "body.a.1", "head"), ("body.b",), "[body.a.*, head]"),
        (("body.0",), ("head",), "[body.0]"),
        (("0", "2"), ("1",), '["0", "2"]'),
        (("no", "1e3", ""), (), '["no", "1e3", ""]'),
        (("a[0]*",), (), '["a[[]0][*]"]'),
        (('a"\\\n',), (), '["a\\"\\\\\\n"]'),
    ],
)
def test_layers_are_named_in_few_words(layers: tuple[str, ...], among: tuple[str, ...], written: str) -> None:
    assert waiver_of(*about(*layers, among=among)) == f"ignore: {{GC201: {{layers: {written}, reason: WHY}}}}"


def test_a_finding_without_layers_is_waived_with_its_rule() -> None:
    finding, report = about()
    line = waiver_of(finding, report)
    assert line == "ignore: {GC201: {reason: WHY}}"
    assert waive((finding,), meant(line))[0] == ()


@given(layers=st.lists(PATHS, min_size=1, max_size=5, unique=True), among=st.lists(PATHS, max_size=3))
def test_it_covers_the_finding_and_no_other_layer(layers: list[str], among: list[str]) -> None:
    finding, report = about(*layers, among=tuple(among))
    waivers = meant(waiver_of(finding, report))
    assert waive((finding,), waivers)[0] == ()
    replaced = {"\0", *map(chr, range(0xD800, 0xE000))}  # each of which YAML has no way to write
    if not replaced & set("".join(layers)):
        others = tuple(replace(finding, layers=(path,)) for path in set(among) - set(layers))
        assert waive(others, waivers)[0] == others


# -------------------------------------------------------------- pasted out of what was printed


def of_table(text: str) -> list[str]:
    return re.findall(r"^ *to waive +(ignore: .*)$", text, re.MULTILINE)


def of_markdown(text: str) -> list[str]:
    return re.findall(r"^```yaml\n(.*)\n```$", text, re.MULTILINE)


def of_html(text: str) -> list[str]:
    return [html.unescape(found) for found in re.findall(r"<pre>(ignore: .*?)</pre>", text)]


def of_json(text: str) -> list[str]:
    return list(_waivers(json.loads(text)))


def _waivers(value: Any) -> Iterator[str]:
    for name, part in value.items() if isinstance(value, dict) else enumerate(value):
        if name == "waiver":
            yield part
        elif isinstance(part, dict | list):
            yield from _waivers(part)


PASTED: dict[str, Callable[[str], list[str]]] = {
    "table": of_table,
    "markdown": of_markdown,
    "html": of_html,
    "json": of_json,
}
EVERY_FORMAT = pytest.mark.parametrize("format", PASTED)
WIDE = [Style(width=1000), Style(width=1000, unicode=False)]


def waivers_in(result: Any, format: str, style: Style = WIDE[0]) -> tuple[RuleWaiver, ...]:
    return tuple(waiver for line in PASTED[format](render(result, format, style)) for waiver in meant(line))


@EVERY_FORMAT
@pytest.mark.parametrize("style", WIDE, ids=("unicode", "ascii"))
@pytest.mark.parametrize("example", ["vanishing", "nan", "recurrent", "hostile", "deep"])
def test_out_of_a_check(example: str, style: Style, format: str) -> None:
    report = examples.EXAMPLES[example]()
    left, _ = waive(report.findings, waivers_in(report, format, style))
    assert [finding for finding in left if finding.severity.value != "note"] == []


@EVERY_FORMAT
def test_out_of_a_suite(tmp_path: Path, format: str) -> None:
    """Beside the model of the check that it is about."""
    suite = examples.suite_of(examples.vanishing())
    (line,) = PASTED[format](render(suite, format, WIDE[0]))
    (tmp_path / "gradcheck.yaml").write_text(f"version: 1\nchecks:\n  - model: a.py\n    {line}\n", encoding="utf-8")
    (planned,) = load_config(tmp_path / "gradcheck.yaml", {})
    assert waive(suite.checks[0].findings, planned.spec.waivers)[0] == ()


@EVERY_FORMAT
@pytest.mark.parametrize("example", ["nan", "blown", "hostile"])
def test_out_of_a_run(example: str, format: str) -> None:
    """Each is waived where alarms and findings of a run are judged."""
    session = SESSIONS[example]()
    run = session.timeline()
    assert run.exit_code == 1
    waivers = waivers_in(run, format)
    left = [finding for report in run.reports for finding in waive(report.findings, waivers)[0]]
    assert [finding for finding in left if finding.severity.value != "note"] == []
    again = replace(session, options=replace(session.options, waivers=waivers)).timeline()
    own = {finding.code for report in again.reports for finding in report.findings if finding.code.startswith("GC63")}
    assert own == set()


def test_a_check_that_is_run_again_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "import torch\nmodel = torch.nn.Linear(4, 3)\nbatch = torch.rand(5, 4)\n"
    Path("net.py").write_text(f"{text}def step(model, x): return (model(x).detach() * model.bias).sum()\n")
    arguments = ["check", "net.py", "--in-process", "--no-try"]
    assert run([*arguments, "--fail-on", "warning"]) == 1
    lines = of_table(capsys.readouterr().out)
    Path("gradcheck.yaml").write_text(f"version: 1\n{lines[0]}\n")
    assert len(lines) == 1 and load_policy(Path("gradcheck.yaml"), {})["waivers"]
    assert run([*arguments, "--verbose"]) == 0
    assert "ignored" in capsys.readouterr().out
