"""The samples hold what their docstrings say: what gradcheck finds, and what training shows."""

from __future__ import annotations

import ast
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gradcheck_cli.config import load_config
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.spec import CheckSpec

SAMPLES = Path(__file__).parent.parent / "samples"
LABEL = re.compile(r"^gradcheck: (healthy|failed|ill) ?(\S+)? ?(\S+)?\Z", re.MULTILINE)
TRAINING = re.compile(r"loss (\S+) -> (\S+) in (\d+) steps of (\w+\([^)]*\))")
PLAN = load_config(SAMPLES / "gradcheck.yaml", {})
EXPECTED = {Path(check.spec.model).name: check.expect for check in PLAN if isinstance(check.spec, CheckSpec)}
(RUN,) = (check for check in PLAN if isinstance(check.spec, RunOptions))
EXIT_CODES = {"healthy": 0, "ill": 1, "failed": 2}
LOSS_OF_GUESSING = math.log(10)


@dataclass(frozen=True, kw_only=True)
class Sample:
    path: Path
    docstring: str
    status: str
    family: str | None
    causes: tuple[str, ...]


def read(path: Path) -> Sample | None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    label = LABEL.search(docstring)
    if label is None:
        return None
    status, family, causes = label.groups()
    alternatives = tuple(causes.split("|")) if causes else ()
    return Sample(path=path, docstring=docstring, status=status, family=family, causes=alternatives)


ALL = [sample for sample in map(read, sorted(SAMPLES.glob("*.py"))) if sample]
every_sample = pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.path.stem)


def test_every_file_but_the_data_loaders_is_labelled() -> None:
    labelled = {sample.path.stem for sample in ALL}
    assert {path.stem for path in SAMPLES.glob("*.py")} - labelled == {"digits", "wine", "pairs_of_digits"}
    assert len(labelled) >= 18


def test_gradcheck_yaml_covers_every_sample_and_expects_what_it_says() -> None:
    assert set(EXPECTED) == {sample.path.name for sample in ALL}
    for sample in ALL:
        expect = EXPECTED[sample.path.name]
        assert (expect == ("failed",)) == (sample.status == "failed")
        assert (expect == ()) == (sample.status == "healthy")


@every_sample
def test_label_names_a_family_and_a_cause_when_ill(sample: Sample) -> None:
    assert (sample.family is not None and bool(sample.causes)) == (sample.status == "ill")


def run_cli(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the console script's function in this process and return its exit code."""
    from gradcheck_cli.__main__ import main

    monkeypatch.setattr(sys, "argv", ["gradcheck", *arguments])
    try:
        code = main()
    except SystemExit as stopped:
        code = stopped.code
    return int(code or 0)


def assert_as_labelled(sample: Sample, report: dict[str, Any]) -> None:
    findings = [finding for finding in report["findings"] if finding["severity"] != "note"]

    assert report["status"] == sample.status, findings
    assert report["exit_code"] == EXIT_CODES[sample.status]
    if sample.status == "ill":
        assert {finding["code"] for finding in findings} == set(EXPECTED[sample.path.name])
        assert findings[0]["family"] == sample.family
        assert findings[0]["cause"] in sample.causes
    else:
        assert not findings


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What one batch says of all samples, none of which it expects anything of, by their names."""
    config = tmp_path_factory.mktemp("samples") / "gradcheck.yaml"
    checks = [{"model": str(sample.path), "name": sample.path.stem} for sample in ALL]
    config.write_text(json.dumps({"version": 1, "checks": checks}), encoding="utf-8")
    command = [sys.executable, "-m", "gradcheck_cli", "batch", str(config), "--format", "json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2, ran.stderr
    return {check["name"]: check for check in json.loads(ran.stdout)["checks"]}


@every_sample
def test_gradcheck_says_what_the_docstring_says(sample: Sample, reports: dict[str, dict[str, Any]]) -> None:
    assert_as_labelled(sample, reports[sample.path.stem])


ALONE = ("broken_shape", "log_zero")
"""One that fails and one that is ill, of which CI asks the same again, alone and with trials."""


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(sample, id=sample.path.stem, marks=() if sample.path.stem in ALONE else pytest.mark.sweep)
        for sample in ALL
    ],
)
def test_it_says_the_same_alone_and_with_trials(
    sample: Sample, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = run_cli(["check", str(sample.path), "--format", "json"], monkeypatch)
    report = json.loads(capsys.readouterr().out)
    assert_as_labelled(sample, report)
    assert exit_code == report["exit_code"]


def numbers(text: str) -> tuple[float, float, int, str]:
    found = TRAINING.search(text)
    assert found, text
    first, last, steps, optimizer = found.groups()
    return float(first), float(last), int(steps), optimizer


def alike(value: float, quoted: float) -> bool:
    """Say whether a loss is the one in the docstring, as far as two machines agree on one."""
    if not math.isfinite(quoted):
        return not math.isfinite(value)
    return math.isclose(value, quoted, rel_tol=0.1, abs_tol=0.15)


@pytest.mark.sweep
@every_sample
def test_plain_pytorch_trains_as_the_docstring_says(sample: Sample) -> None:
    run = subprocess.run(
        [sys.executable, str(sample.path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    if sample.status == "failed":
        assert "Error" in run.stdout
        return
    first, last, steps, optimizer = numbers(run.stdout)
    quoted_first, quoted_last, quoted_steps, quoted_optimizer = numbers(sample.docstring)
    assert (steps, optimizer) == (quoted_steps, quoted_optimizer)
    assert alike(first, quoted_first)
    assert alike(last, quoted_last)
    if sample.status == "healthy":
        assert last < 0.5 * min(first, LOSS_OF_GUESSING)
    else:
        assert not last < 0.9 * min(first, LOSS_OF_GUESSING)


SCRIPT = "samples/pairs_of_digits.py"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """The script, run under gradcheck once, and the report."""
    saved = tmp_path_factory.mktemp("run") / "run.json"
    ran = subprocess.run(
        [sys.executable, "-m", "gradcheck_cli", "run", "--output", f"json={saved}", SCRIPT],
        cwd=SAMPLES.parent,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    return ran, json.loads(saved.read_text(encoding="utf-8"))


def test_the_script_goes_wrong_where_it_says(watched: tuple[subprocess.CompletedProcess[str], dict[str, Any]]) -> None:
    assert [Path(part).name for part in RUN.spec.command] == [Path(SCRIPT).name]
    docstring = ast.get_docstring(ast.parse((SAMPLES.parent / SCRIPT).read_text(encoding="utf-8"))) or ""
    label = re.search(r"^gradcheck run: ill at step (\d+), (\w+) (\S+), sample (\d+)$", docstring, re.MULTILINE)
    assert label is not None
    step, family, cause, sample = label.groups()
    ran, report = watched
    assert ran.returncode == 1
    (alarm,) = report["alarms"]
    assert (alarm["step"], alarm["samples"], alarm["replay"]) == (int(step), [int(sample)], "exact")
    findings = alarm["report"]["findings"]
    assert {(f["family"], f["cause"]) for f in findings} == {(family, cause)}
    assert {f["code"] for f in findings} == set(RUN.expect)


def test_the_readme_shows_what_is_printed(watched: tuple[subprocess.CompletedProcess[str], dict[str, Any]]) -> None:
    """Whole but for times."""
    ran, _ = watched
    assert without_times(ran.stdout + ran.stderr) == without_times(shown_in("README.md"))


def test_the_page_of_runs_shows_what_is_printed(
    watched: tuple[subprocess.CompletedProcess[str], dict[str, Any]],
) -> None:
    """Line by line, as far as it shows them."""
    ran, _ = watched
    shown, printed = shown_in("docs/run.md"), iter(ran.stderr.splitlines())
    assert "nonfinite" in shown
    for line in filter(None, shown.splitlines()):
        assert line in printed, f"not printed, or not in this order:\n{line}\n{ran.stderr}"


def shown_in(page: str) -> str:
    """What a page shows of the run, below the command."""
    text = (SAMPLES.parent / page).read_text(encoding="utf-8")
    return text.partition(f"$ gradcheck run {SCRIPT}\n")[2].partition("```")[0]


def without_times(text: str) -> str:
    return re.sub(r"steps   .*", "steps", text)
