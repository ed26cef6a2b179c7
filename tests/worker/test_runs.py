"""A session from its folder to what came of it, and the exit code that it has in a suite."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from gradcheck_cli.records.choices import FailOn, Status
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.timeline import Timeline
from gradcheck_cli.worker import runs
from gradcheck_cli.worker.runs import run_in_suite, run_watched
from tests.timeline.sessions import blown, healthy

TELLING = """
import json, os, sys
names = ("OMP_NUM_THREADS", "PYTHONUNBUFFERED", "GRADCHECK_RUN")
told = {"argv": sys.argv[1:], **{name: os.environ.get(name) for name in names}}
open(sys.argv[1], "w").write(json.dumps(told))
sys.exit(3)
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "telling.py").write_text(TELLING)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    for name in ("OMP_NUM_THREADS", "PYTHONUNBUFFERED"):
        monkeypatch.setenv(name, "")  # so that what is set here is put back
        monkeypatch.delenv(name)
    return tmp_path / "telling.py"


def test_a_command_has_a_session_while_it_runs(script: Path, tmp_path: Path) -> None:
    options = RunOptions(command=("telling.py",))
    timeline = run_watched([sys.executable, str(script), str(tmp_path / "told.json")], options)
    assert (timeline.command, timeline.script_exit, timeline.exit_code) == (("telling.py",), 3, 3)
    assert (timeline.status, timeline.steps) == (Status.UNKNOWN, 0)
    assert timeline.seconds["total"] > 0
    told = json.loads((tmp_path / "told.json").read_text())
    assert Path(told["GRADCHECK_RUN"]).parent == tmp_path / "tmp"
    assert (told["OMP_NUM_THREADS"], told["PYTHONUNBUFFERED"]) == (None, None)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(("threads", "own", "found"), [(3, None, "3"), (3, "1", "1"), (None, None, None)])
def test_a_script_of_a_suite_has_its_arguments_and_its_part_of_the_threads(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    threads: int | None,
    own: str | None,
    found: str | None,
) -> None:
    if own is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", own)
    arguments = (str(tmp_path / "told.json"), "--name", "a b")
    report = run_in_suite(RunOptions(command=(str(script), *arguments)), threads)
    assert (report.status, report.exit_code, report.error) == (Status.FAILED, 2, "the script ended with 3")
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["argv"], told["OMP_NUM_THREADS"], told["PYTHONUNBUFFERED"]) == (list(arguments), found, "1")


ILL = blown().timeline()
WELL = healthy().timeline()


@pytest.mark.parametrize(
    ("run", "status", "code", "error"),
    [
        (WELL, Status.HEALTHY, 0, ""),
        (ILL, Status.ILL, 1, ""),
        (replace(ILL, exit_code=0), Status.ILL, 0, ""),
        (replace(ILL, exit_code=137, script_exit=137), Status.ILL, 2, "the script ended with 137"),
        (replace(WELL, exit_code=1, script_exit=1), Status.FAILED, 2, "the script ended with 1"),
        (
            Timeline(command=("a.py",), status=Status.UNKNOWN, exit_code=2),
            Status.FAILED,
            2,
            "unknown: no step was seen",
        ),
    ],
)
def test_in_a_suite_2_is_the_code_of_what_did_not_end_well(
    run: Timeline, status: Status, code: int, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "run_watched", lambda command, options: run)
    report = run_in_suite(RunOptions(command=("a.py",), fail_on=FailOn.WARNING), None)
    assert (report.status, report.exit_code, report.error) == (status, code, error)


WRITING = """
import json, os
opened = {"pid": 1, "rank": 0, "world": 1, "torch": "2", "python": "3", "argv": []}
with open(os.environ["GRADCHECK_RUN"] + "/1-a.jsonl", "w") as file:
    for line in (["opened", opened], *(["vital", {"step": step}] for step in range(1, 9))):
        file.write(json.dumps(line, separators=(",", ":")) + "\\n")
"""


def test_the_news_is_heard_to_its_end(tmp_path: Path) -> None:
    script, heard = tmp_path / "writing.py", list[int]()
    script.write_text(WRITING)
    options = RunOptions(command=("writing.py",))
    run = run_watched([sys.executable, str(script)], options, lambda news: heard.extend(v.step for v in news.vitals))
    assert heard == list(range(1, 9)) and run.steps == 8
