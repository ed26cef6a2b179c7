from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gradcheck_cli.cli.progress import Stages
from gradcheck_cli.errors import Interrupted, ReportError, UserCodeError
from gradcheck_cli.records.choices import FailOn, Mode
from gradcheck_cli.records.documents import report_from_dict
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.reports import FORMATS, Style, render
from gradcheck_cli.signals import Signalled
from tests.reports.examples import EXAMPLES, failed, healthy, unknown, vanishing

RAISED = UserCodeError(
    "the model raised RuntimeError: boom \x1b[31m",
    hint="look at the shapes",
    frames=("  net.py:7 in forward\n    return self.head(x)",),
)


@pytest.mark.parametrize(("make", "code"), [(healthy, 0), (vanishing, 1), (unknown, 0), (failed, 2)])
def test_the_exit_code_is_the_reports(stub, gradcheck, make, code: int) -> None:
    stub.outcome = make()
    assert stub.outcome.exit_code == code or make is unknown
    for format in FORMATS:
        assert gradcheck("check", "m.py", "--format", format).code == stub.outcome.exit_code


def test_stdout_is_the_report_and_stderr_is_empty_off_a_terminal(stub, gradcheck) -> None:
    ended = gradcheck("check", "m.py")
    assert ended.out == render(vanishing(), "table", Style(width=100))
    assert ended.err == ""


def test_off_a_terminal_columns_changes_nothing(stub, gradcheck, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "61")
    ended = gradcheck("check", "m.py", "--output", f"table={tmp_path}/r.txt")
    assert (
        ended.out == (tmp_path / "r.txt").read_text(encoding="utf-8") == render(vanishing(), "table", Style(width=100))
    )


def test_json_is_one_document(stub, gradcheck) -> None:
    ended = gradcheck("check", "m.py", "--format", "json")
    assert json.loads(ended.out)["schema"] == "gradcheck-report/1"


def test_a_bare_check_asks_for_the_defaults(stub, gradcheck) -> None:
    gradcheck("check", "m.py")
    assert stub.specs == [CheckSpec(model="m.py", try_budget=800)]


def test_every_option_reaches_the_spec(stub, gradcheck) -> None:
    arguments = (
        "check pkg.net:build --batch d.npz --input float32[8,3] --input ids=int64[4] --target int64[8]"
        " --target-column y --loss mse_loss --step s.py:go --weights w.pt --set depth=8 --set name=a=b"
        " --train --trust-pickle --device cuda:1 --dtype float64 --autocast bfloat16 --seed 7"
        " --select GC2,graph-cut --select GC101 --ignore gc202 --fail-on error --try-budget 25"
    )
    ended = gradcheck(*arguments.split())
    assert ended.err == ""
    assert stub.specs == [
        CheckSpec(
            model="pkg.net:build",
            batch="d.npz",
            inputs=("float32[8,3]", "ids=int64[4]"),
            target="int64[8]",
            target_column="y",
            loss="mse_loss",
            step="s.py:go",
            weights="w.pt",
            settings=(("depth", "8"), ("name", "a=b")),
            device="cuda:1",
            dtype="float64",
            autocast="bfloat16",
            seed=7,
            mode=Mode.TRAIN,
            select=("GC2", "graph-cut", "GC101"),
            ignore=("gc202",),
            fail_on=FailOn.ERROR,
            trust_pickle=True,
            try_budget=25,
        )
    ]


def test_eval_is_a_mode(stub, gradcheck) -> None:
    gradcheck("check", "m.py", "--eval")
    assert stub.specs[0].mode is Mode.EVAL


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument"),
        (["m.py", "--nope"], "--nope"),
        (["m.py", "--format", "jsn"], "did you mean `json`?"),
        (["m.py", "--fail-on", "note"], "note"),
        (["m.py", "--seed", "many"], "seed"),
        (["m.py", "--seed", "-1"], "seed"),
        (["m.py", "--set", "depth"], "`depth` is not KEY=VALUE"),
        (["m.py", "--set", "=8"], "`=8` is not KEY=VALUE"),
        (["m.py", "--select", "vanishing-dept"], "did you mean `vanishing-depth`?"),
        (["m.py", "--ignore", "GC9"], "--ignore: no rule is called `GC9`"),
        (["m.py", "--select", ""], "no rule is called"),
        (["m.py", "--output", "json"], "is not FORMAT=PATH"),
        (["m.py", "--output", "xml=a"], "`xml` is not a format"),
        (["m.py", "--output", "json=/no/such/folder/a.json"], "there is no folder"),
        (["m.py", "--output", "json=a.json", "--output", "table=a.json"], "twice"),
    ],
)
def test_a_usage_error_names_what_is_wrong(stub, gradcheck, arguments: list[str], message: str) -> None:
    ended = gradcheck("check", *arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert message in ended.err
    assert ended.err.startswith("error: ")
    assert "\nhint: " in ended.err
    assert stub.specs == []


def test_a_failure_is_told_once_with_the_users_frames_and_a_hint(stub, gradcheck) -> None:
    stub.outcome = RAISED
    ended = gradcheck("check", "m.py")
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.splitlines() == [
        r"error: the model raised RuntimeError: boom \x1b[31m",
        "  net.py:7 in forward",
        "    return self.head(x)",
        "hint: look at the shapes",
    ]


def test_a_failure_with_json_still_gives_one_document(stub, gradcheck) -> None:
    stub.outcome = RAISED
    ended = gradcheck("check", "m.py", "--format", "json")
    data = json.loads(ended.out)
    assert (data["status"], data["exit_code"], data["error"]) == ("failed", 2, RAISED.message)
    assert report_from_dict(data).name == "m.py"
    assert ended.code == 2
    assert ended.err.startswith("error: ")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "raised",
    [ValueError("x"), SystemExit(1), SystemExit(0), RecursionError(), MemoryError(), KeyError("k")],
    ids=repr,
)
def test_what_nobody_expected_is_an_internal_error(stub, gradcheck, raised, format: str) -> None:
    stub.outcome = raised
    ended = gradcheck("check", "m.py", "--format", format)
    assert ended.code == 2
    assert ended.err.startswith(f"error: internal error: {type(raised).__name__}")
    assert "please report" in ended.err
    assert "--debug" in ended.err
    assert "Traceback" not in ended.err


def test_debug_shows_the_traceback(stub, gradcheck) -> None:
    stub.outcome = ValueError("x")
    ended = gradcheck("check", "m.py", "--debug")
    assert ended.code == 2
    assert "Traceback (most recent call last)" in ended.err


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), Interrupted("interrupted while running the model")], ids=repr)
def test_an_interruption_ends_with_130(stub, gradcheck, raised) -> None:
    stub.outcome = raised
    ended = gradcheck("check", "m.py", "--format", "json")
    assert ended.code == 130
    assert "interrupted" in ended.err
    assert json.loads(ended.out)["exit_code"] == 130


def test_output_writes_files_beside_the_document(stub, gradcheck, tmp_path: Path) -> None:
    ended = gradcheck(
        "check",
        "m.py",
        "--output",
        f"json={tmp_path}/r.json",
        "--output",
        f"table={tmp_path}/r.txt",
        "--color",
        "always",
    )
    assert ended.code == 1
    assert ended.out
    assert json.loads((tmp_path / "r.json").read_text())["status"] == "ill"
    assert "\x1b" not in (tmp_path / "r.txt").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.json", "r.txt"]


def test_a_failure_writes_its_files_too(stub, gradcheck, tmp_path: Path) -> None:
    stub.outcome = RAISED
    assert gradcheck("check", "m.py", "--output", f"json={tmp_path}/r.json").code == 2
    assert json.loads((tmp_path / "r.json").read_text())["status"] == "failed"


def test_a_file_that_cannot_be_written_loses_nothing(stub, gradcheck, tmp_path: Path, monkeypatch) -> None:
    def full(descriptor: int, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    (tmp_path / "r.json").write_text("before")
    monkeypatch.setattr(os, "write", full)
    ended = gradcheck("check", "m.py", "--output", f"json={tmp_path}/r.json")
    assert ended.code == 2
    assert "No space left on device" in ended.err
    assert "GC201" in ended.out
    assert (tmp_path / "r.json").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


def test_color(stub, gradcheck, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" in gradcheck("check", "m.py", "--color", "always").out
    assert "\x1b[" not in gradcheck("check", "m.py", "--color", "never").out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in gradcheck("check", "m.py").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in gradcheck("check", "m.py").out


def test_quiet_and_verbose_reach_the_report(stub, gradcheck) -> None:
    plain, quiet, verbose = (len(gradcheck("check", "m.py", *more).out) for more in ([], ["-q"], ["-v"]))
    assert quiet < plain < verbose


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("format", FORMATS)
def test_every_example_in_every_format(stub, gradcheck, example: str, format: str) -> None:
    stub.outcome = EXAMPLES[example]()
    ended = gradcheck("check", "m.py", "--format", format)
    assert ended.code == stub.outcome.exit_code
    assert "\x1b" not in ended.out


def test_a_report_error_of_the_pipeline_is_told(stub, gradcheck) -> None:
    stub.outcome = ReportError("cannot")
    assert gradcheck("check", "m.py").code == 2


def test_no_try_tries_nothing(stub, gradcheck) -> None:
    gradcheck("check", "m.py", "--no-try")
    assert stub.specs[0].try_budget == 0


def _with_patch(report):
    finding = report.findings[0]
    first = finding.remedies[0]
    patched = replace(first, trial=replace(first.trial, patch="def apply(model):\n    return model\n"))
    return replace(report, findings=(replace(finding, remedies=(patched, *finding.remedies[1:])), *report.findings[1:]))


def test_the_best_patch_is_written_and_said(stub, gradcheck, tmp_path: Path) -> None:
    stub.outcome = _with_patch(vanishing())
    ended = gradcheck("check", "m.py", "--write-patch", str(tmp_path / "p.py"))
    assert (tmp_path / "p.py").read_text(encoding="utf-8").startswith("def apply(model):")
    assert "p.py holds `apply(model)`" in " ".join(ended.out.split()) and ended.code == 1


def test_without_a_remedy_no_patch_is_written_and_that_is_said(stub, gradcheck, tmp_path: Path) -> None:
    stub.outcome = healthy()
    ended = gradcheck("check", "m.py", "--write-patch", str(tmp_path / "p.py"))
    assert "p.py was not written" in " ".join(ended.out.split()) and ended.code == 0
    assert not (tmp_path / "p.py").exists()


def test_a_patch_that_cannot_be_written_is_an_error(stub, gradcheck, tmp_path: Path) -> None:
    stub.outcome = _with_patch(vanishing())
    ended = gradcheck("check", "m.py", "--write-patch", str(tmp_path / "no" / "p.py"))
    assert ended.code == 2 and "p.py" in ended.err


def test_a_patch_needs_the_trials(stub, gradcheck) -> None:
    ended = gradcheck("check", "m.py", "--no-try", "--write-patch", "p.py")
    assert ended.code == 2 and "--no-try" in ended.err


def test_limits_reach_the_plan(stub, gradcheck) -> None:
    assert gradcheck("check", "m.py", "--timeout", "2.5", "--max-memory", "2GB").err == ""
    assert (stub.planned[0].timeout, stub.planned[0].max_memory) == (2.5, 2 * 10**9)


@pytest.mark.parametrize("options", [["--timeout", "0"], ["--max-memory", "much"], ["--timeout", "2", "--in-process"]])
def test_limits_that_cannot_be_kept_are_usage_errors(stub, gradcheck, options: list[str]) -> None:
    ended = gradcheck("check", "m.py", *options)
    assert (ended.code, stub.planned) == (2, [])
    assert "hint: " in ended.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_gives_its_exit_code(stub, gradcheck, number: int, code: int) -> None:
    stub.outcome = Signalled(number)
    ended = gradcheck("check", "m.py", "--format", "json")
    assert ended.code == json.loads(ended.out)["exit_code"] == code
    assert ended.err == "error: interrupted\n"


def test_what_the_code_prints_is_written_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    Stages().echo(b"\x1b[1mhello\n")
    assert capfd.readouterr().err == "\x1b[1mhello\n"
