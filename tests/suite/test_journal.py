"""What is finished is kept, through a kill -9 too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from gradcheck_cli.cli import run
from gradcheck_cli.errors import ReportError
from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.documents import report_to_dict
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.suite.journal import Journal, key_of
from tests.reports.examples import EXAMPLES, healthy, vanishing
from tests.reports.hostile import reports

PLAN = [PlannedCheck(name=name, spec=CheckSpec(model=name)) for name in ("a", "b", "c")]


def journal(folder: Path, *done: tuple[PlannedCheck, Report]) -> Journal:
    kept = Journal(folder / "j.jsonl")
    kept.start(resume=False)
    for planned, report in done:
        kept.append(planned, report)
    return kept


def test_what_was_appended_comes_back_exactly(tmp_path: Path) -> None:
    odd = replace(vanishing(), loss=0.1 + 0.2)
    kept = journal(tmp_path, (PLAN[2], odd), (PLAN[0], healthy()))
    assert kept.finished(PLAN) == {0: healthy(), 2: odd}
    assert kept.fault == ""


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_report_survives(example: str, tmp_path: Path) -> None:
    kept = journal(tmp_path, (PLAN[0], EXAMPLES[example]()))
    assert report_to_dict(kept.finished(PLAN)[0], exact=True) == report_to_dict(EXAMPLES[example](), exact=True)


@settings(max_examples=50)
@given(reports())
def test_hostile_reports_survive(tmp_path_factory: pytest.TempPathFactory, report: Report) -> None:
    kept = journal(tmp_path_factory.mktemp("j"), (PLAN[0], report))
    assert len(kept.path.read_bytes().splitlines()) == 2
    assert repr(kept.finished(PLAN)) == repr({0: report})


def test_a_check_that_is_planned_otherwise_is_not_finished(tmp_path: Path) -> None:
    kept = journal(tmp_path, *((planned, healthy()) for planned in PLAN))
    changed = [replace(PLAN[0], timeout=3.0), replace(PLAN[1], spec=replace(PLAN[1].spec, seed=1)), PLAN[2]]
    assert list(kept.finished(changed)) == [2]
    assert list(kept.finished(PLAN[::-1])) == [0, 1, 2]


def test_a_check_whose_file_changed_is_not_finished(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text("x")
    planned = PlannedCheck(name="m", spec=CheckSpec(model=f"{file}:build"))
    before = key_of(planned)
    assert key_of(planned) == before
    os.utime(file, ns=(0, 0))
    assert key_of(planned) != before


@pytest.mark.parametrize("changed", ["train.py", "base.yaml", "more.yaml"])
def test_a_run_whose_script_or_arguments_changed_is_not_finished(tmp_path: Path, changed: str) -> None:
    for name in ("train.py", "base.yaml", "more.yaml"):
        (tmp_path / name).write_text("x")
    given = (f"{tmp_path}/train.py", "--config", f"{tmp_path}/base.yaml", f"--more={tmp_path}/more.yaml", "x" * 5000)
    planned = PlannedCheck(name="r", spec=RunOptions(command=given))
    before = key_of(planned)
    assert key_of(planned) == before != key_of(replace(planned, spec=RunOptions(command=given[:-1])))
    os.utime(tmp_path / changed, ns=(0, 0))
    assert key_of(planned) != before


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_torn_last_line_costs_its_check_only(tmp_path: Path, cut: int) -> None:
    kept = journal(tmp_path, (PLAN[0], healthy()), (PLAN[1], healthy()))
    kept.path.write_bytes(kept.path.read_bytes()[:-cut])
    again = Journal(kept.path)
    again.start(resume=True)
    assert list(again.finished(PLAN)) == ([0, 1] if cut == 1 else [0])
    again.append(PLAN[2], healthy())
    assert list(again.finished(PLAN)) == ([0, 1, 2] if cut == 1 else [0, 2])


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("content", [b"", b'{"schema": "gradch'])
def test_a_torn_first_line_is_written_again(tmp_path: Path, content: bytes, resume: bool) -> None:
    kept = Journal(tmp_path / "j.jsonl")
    kept.path.write_bytes(content)
    kept.start(resume=resume)
    kept.append(PLAN[0], healthy())
    assert list(kept.finished(PLAN)) == [0]


@pytest.mark.parametrize("resume", [True, False])
def test_what_is_no_journal_is_left_as_it_is(tmp_path: Path, resume: bool) -> None:
    kept = Journal(tmp_path / "model.py")
    kept.path.write_text("import torch\n")
    with pytest.raises(ReportError, match="is not a journal"):
        kept.start(resume=resume)
    assert kept.path.read_text() == "import torch\n"


@pytest.mark.parametrize("resume", [True, False])
def test_a_device_a_pipe_and_a_folder_are_refused_and_stay(tmp_path: Path, resume: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path(os.devnull), Path("/dev/zero"), tmp_path / "pipe", tmp_path):
        with pytest.raises(ReportError, match=r"is a (device|FIFO|folder)"):
            Journal(path).start(resume=resume)
        assert path.exists()


def test_a_link_stays_and_its_target_is_the_journal(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    kept = Journal(tmp_path / "link")
    kept.start(resume=False)
    kept.append(PLAN[0], healthy())
    assert list(Journal(tmp_path / "target").finished(PLAN)) == [0]
    kept.remove()
    assert (tmp_path / "link").is_symlink() and not (tmp_path / "target").exists()


def test_a_run_that_does_not_resume_forgets(tmp_path: Path) -> None:
    kept = journal(tmp_path, (PLAN[0], healthy()))
    Journal(kept.path).start(resume=False)
    assert Journal(kept.path).finished(PLAN) == {}


def test_a_disk_that_is_full_ends_the_journal_only() -> None:
    kept = Journal(Path("/dev/full"))
    kept.append(PLAN[0], healthy())
    assert "No space left" in kept.fault
    kept.append(PLAN[1], healthy())
    assert kept.fault.startswith("/dev/full: cannot be written")


MODEL = """\
import os, time, torch
from torch import nn
with open(os.path.join({folder!r}, "runs"), "a") as log:
    log.write("{name} %d\\n" % os.getpgrp())
time.sleep({pause})
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
batch = (torch.randn(16, 4), torch.arange(16) % 3)
loss = nn.functional.cross_entropy
"""


def told(suite: dict) -> dict:
    checks = [{**check, "seconds": None} for check in suite["checks"]]
    return {**suite, "checks": checks, "seconds": None}


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_kill_9_loses_nothing_finished_and_resume_completes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["a", "b", "c", "slow", "d"]
    for name in names:
        pause = f"60 if not os.path.exists({str(tmp_path / 'killed')!r}) else 0" if name == "slow" else "0"
        (tmp_path / f"{name}.py").write_text(MODEL.format(folder=str(tmp_path), name=name, pause=pause))
    (tmp_path / "gradcheck.yaml").write_text(
        "version: 1\nchecks: [" + ", ".join(f"{{model: {name}.py}}" for name in names) + ", {model: none.py}]\n"
    )
    command = ["batch", str(tmp_path / "gradcheck.yaml"), "--workers", "1", "--format", "json"]
    parent = subprocess.Popen(
        [sys.executable, "-m", "gradcheck_cli", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    runs = tmp_path / "runs"
    while not (runs.exists() and "slow" in runs.read_text()):
        assert parent.poll() is None
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    kept = tmp_path / ".gradcheck-journal.jsonl"
    assert len(kept.read_bytes().splitlines()) == 1 + 3
    group = int(runs.read_text().splitlines()[-1].split()[1])
    while alive(group):  # what the suite started ends with it; a test that hangs here has failed
        time.sleep(0.05)

    (tmp_path / "killed").touch()
    code = run([*command, "--resume"])
    resumed = json.loads(capsys.readouterr().out)
    assert [line.split()[0] for line in runs.read_text().splitlines()] == ["a", "b", "c", "slow", "slow", "d"]
    assert [check["status"] for check in resumed["checks"]] == [Status.HEALTHY] * 5 + [Status.FAILED]
    assert not kept.exists()
    assert run(command) == code == 2
    assert told(json.loads(capsys.readouterr().out)) == told(resumed)
