"""`gradcheck run`: whose option is whose, what is refused before anything starts, and where the report goes."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gradcheck_cli.errors import Interrupted
from gradcheck_cli.records.choices import FailOn, Status
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Process
from gradcheck_cli.records.timeline import Timeline
from gradcheck_cli.worker import runs, script
from tests.cli.conftest import Ended


@dataclass
class Started:
    """Stands in for the script and for what becomes of its session."""

    code: int = 0
    raised: BaseException | None = None
    exit_code: int = 0
    commands: list[list[str]] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    options: list[RunOptions] = field(default_factory=list)

    def run_script(self, command: list[str], variables: dict[str, str], meanwhile: object = None) -> int:
        self.commands.append(command)
        folder = Path(variables[script.SESSION])
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert [path.name for path in folder.iterdir()] == ["options.json"]
        self.folders.append(folder)
        if self.raised:
            raise self.raised
        return self.code

    def assembled(self, processes: tuple[Process, ...], options: RunOptions, code: int, seconds: float) -> Timeline:
        assert processes == () and seconds >= 0
        self.options.append(options)
        return Timeline(
            command=options.command, status=Status.HEALTHY, exit_code=code or self.exit_code, script_exit=code, steps=3
        )


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    started = Started()
    monkeypatch.setattr(runs, "run_script", started.run_script)
    monkeypatch.setattr("gradcheck_cli.timeline.assembled", started.assembled)
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("")
    return started


Call = Callable[..., Ended]

# --------------------------------------------------------------------------- whose option is whose


@pytest.mark.parametrize(
    ("given", "told", "command"),
    [
        (["train.py"], ["train.py"], [sys.executable, "train.py"]),
        (
            ["--steps", "1", "train.py", "--steps", "2", "-h", "--", "-m", "x"],
            ["train.py", "--steps", "2", "-h", "--", "-m", "x"],
            [sys.executable, "train.py", "--steps", "2", "-h", "--", "-m", "x"],
        ),
        (["-m", "pkg.train", "-m", "--quiet"], ["-m", "pkg.train", "-m", "--quiet"], None),
        (["-q", "-m", "train"], ["-m", "train"], [sys.executable, "-m", "train"]),
        (
            ["--", "sh", "-c", "exit 3", "--", "-h"],
            ["sh", "-c", "exit 3", "--", "-h"],
            ["sh", "-c", "exit 3", "--", "-h"],
        ),
        (["-v", "--", "sh"], ["sh"], ["sh"]),
        (["train.py", "--"], ["train.py", "--"], [sys.executable, "train.py", "--"]),
        (["train.py", "train.py"], ["train.py", "train.py"], [sys.executable, "train.py", "train.py"]),
        (["train.py", ""], ["train.py", ""], [sys.executable, "train.py", ""]),
        (["-", "a"], ["-", "a"], [sys.executable, "-", "a"]),
    ],
)
def test_the_first_positional_ends_our_options(
    started: Started, gradcheck: Call, given: list[str], told: list[str], command: list[str] | None
) -> None:
    assert gradcheck("run", *given).code == 0
    assert started.commands == [command or [sys.executable, *told]]
    assert started.options[0].command == tuple(told)
    assert started.options[0].steps == (1 if "1" in given else None)


def test_what_is_not_asked_for(started: Started, gradcheck: Call) -> None:
    gradcheck("run", "train.py")
    assert started.options == [RunOptions(command=("train.py",), try_budget=800)]


def test_everything_that_can_be_asked_for(started: Started, gradcheck: Call, tmp_path: Path) -> None:
    asked = "--at 12 --at 1:40 --at 12 --budget 0.5 --every 20 --steps 9 --on-alarm stop --max-diagnoses 0 --no-first"
    asked += " --snapshot 40 --shadow --save-batch kept --try-budget 7 --select GC1 --ignore GC105 --fail-on error"
    asked += " --no-config"
    gradcheck("run", *asked.split(), "train.py")
    wanted = RunOptions(
        command=("train.py",),
        at=("12", "1:40"),
        budget=0.5,
        every=20,
        snapshot=40,
        shadow=True,
        steps=9,
        stop_on_alarm=True,
        max_diagnoses=0,
        first=False,
        save_batch=str(tmp_path / "kept"),
        try_budget=7,
        select=("GC1",),
        ignore=("GC105",),
        fail_on=FailOn.ERROR,
    )
    assert started.options == [wanted]
    gradcheck("run", "--no-try", "train.py")
    assert started.options[1].try_budget == 0


def test_the_nearest_config_makes_the_verdict(started: Started, gradcheck: Call) -> None:
    Path("gradcheck.yaml").write_text("version: 1\nfail_on: never\nignore: [GC501]\n")
    ended = gradcheck("run", "--format", "json", "train.py")
    assert (started.options[0].fail_on, started.options[0].ignore) == (FailOn.NEVER, ("GC501",))
    assert json.loads(ended.err)["notes"] == ["the verdict follows gradcheck.yaml; --no-config leaves it out"]
    gradcheck("run", "--fail-on", "error", "train.py")
    assert started.options[1].fail_on is FailOn.ERROR


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ([], "Missing argument 'SCRIPT [ARGS]...'", "`gradcheck run --help` lists what there is."),
        (["trin.py"], "there is no file trin.py", "SCRIPT is a file; write a module as -m NAME, and any other"),
        (["sh", "-c"], "there is no file sh", "To run the command, write -- sh."),
        (["--", "train.py"], "there is no command `train.py`", "Leave out the `--` before a script."),
        (
            ["--", "nothing-of-that-name"],
            "there is no command `nothing-of-that-name`",
            "Commands are looked for",
        ),
        (["-c", "print(1)"], "No such option: -c", "`gradcheck run --help` lists what there is."),
        (["--epochs", "3", "train.py"], "No such option: --epochs", "`gradcheck run --help` lists what there is."),
        (["--at", "0", "train.py"], "--at `0` is not a step", "Write --at 120, or --at 1:120"),
        (["--at", "1:", "train.py"], "--at `1:` is not a step", "Write --at 120"),
        (["--at", "-3", "train.py"], "--at `-3` is not a step", "Write --at 120"),
        (["--at", "٣", "train.py"], "--at `٣` is not a step", "Write --at 120"),
        (
            ["--budget", "nan", "train.py"],
            "--budget nan is not a share of a step's time",
            "Write a percentage",
        ),
        (["--budget", "-1", "train.py"], "--budget -1 is not a share of a step's time", "Write a percentage"),
        (["--steps", "0", "train.py"], "Invalid value for '--steps': ", ""),
        (["--on-alarm", "pause", "train.py"], "Invalid value for '--on-alarm': 'pause' is not one of", ""),
        (["--save-batch", "train.py", "train.py"], "--save-batch train.py: is not a folder", "Name a folder"),
        (["--save-batch", "a/b", "train.py"], "--save-batch a/b: there is no folder ", "Make it first."),
        (["--save-batch", "n" * 300, "train.py"], "--save-batch nnn", "Name a folder"),
        (["--save-batch", "/dev/null", "train.py"], "--save-batch /dev/null: is a device", "Name a folder"),
        (["--select", "GC9", "train.py"], "--select", ""),
        (["--config", "x.yaml", "--no-config", "train.py"], "--config and --no-config are both given", "Keep one"),
        (["--format", "tabel", "train.py"], "--format: `tabel` is not a format; did you mean `table`?", ""),
        (["--output", "json=no/a", "train.py"], "--output json=no/a: there is no folder", "Make it first."),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_starts(
    started: Started, gradcheck: Call, given: list[str], message: str, hint: str
) -> None:
    ended = gradcheck("run", *given)
    assert (ended.code, ended.out, started.commands) == (2, "", [])
    assert ended.err.startswith(f"error: {message}"), ended.err
    assert f"hint: {hint}" in ended.err


def test_a_command_beside_this_python_is_named(
    started: Started, gradcheck: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    beside = tmp_path / "bin" / "torchrun"
    beside.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", "")
    ended = gradcheck("run", "--", "torchrun")
    assert ended.err.endswith(f"hint: Activate the environment that it is in, or write {beside}.\n")


def test_a_usage_error_leaves_stdout_to_the_script(gradcheck: Call) -> None:
    ended = gradcheck("run", "--epochs", "train.py", "--format", "json")
    assert (ended.code, ended.out) == (2, "")


def test_a_failure_is_a_document_of_a_run(started: Started, gradcheck: Call) -> None:
    ended = gradcheck("run", "--format", "json", "--output", "json=run.json", "trin.py", "-h")
    document = json.loads(Path("run.json").read_text())
    assert json.loads(ended.err[ended.err.index("{") :]) == document
    told = {name: document[name] for name in ("schema", "command", "status", "exit_code", "script_exit", "steps")}
    assert told == {
        "schema": "gradcheck-run/1",
        "command": ["trin.py", "-h"],
        "status": "failed",
        "exit_code": 2,
        "script_exit": None,
        "steps": 0,
    }


# --------------------------------------------------------------------------- the end


def test_the_report_goes_to_stderr_and_to_files(started: Started, gradcheck: Call) -> None:
    ended = gradcheck("run", "--format", "json", "--output", "json=run.json", "train.py")
    assert ended.out == ""
    assert json.loads(ended.err) == json.loads(Path("run.json").read_text())
    assert json.loads(ended.err)["steps"] == 3


@pytest.mark.parametrize(("ended", "verdict", "code"), [(0, 0, 0), (0, 1, 1), (0, 2, 2), (5, 1, 5), (139, 0, 139)])
def test_the_exit_code_is_the_scripts_own_or_the_verdict(
    started: Started, gradcheck: Call, ended: int, verdict: int, code: int
) -> None:
    started.code, started.exit_code = ended, verdict
    assert gradcheck("run", "train.py").code == code


@pytest.mark.parametrize(("script_exit", "code"), [(0, 2), (5, 5)])
def test_a_file_that_cannot_be_written_does_not_hide_how_the_script_ended(
    started: Started, gradcheck: Call, script_exit: int, code: int
) -> None:
    started.code = script_exit
    ended = gradcheck("run", "--format", "json", "--output", "json=/dev/full", "train.py")
    assert ended.code == code
    assert ended.err.startswith("error: /dev/full: cannot be written: No space left on device")


@pytest.mark.parametrize(
    ("raised", "code"),
    [(None, 0), (Interrupted("interrupted", number=2), 130), (ValueError("ours"), 2)],
)
def test_the_session_is_gone_whatever_happens(
    started: Started,
    gradcheck: Call,
    raised: BaseException | None,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    started.raised = raised
    assert gradcheck("run", "train.py").code == code
    assert [folder.parent for folder in started.folders] == [tmp_path]
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]


def test_the_help_lists_it_all(gradcheck: Call) -> None:
    ended = gradcheck("run", "-h")
    assert ended.out.startswith("Usage: gradcheck run [OPTIONS] SCRIPT [ARGS]...\n")
    assert "gradcheck run -- torchrun --nproc-per-node 2 train.py" in ended.out


def test_the_command_never_imports_torch(tmp_path: Path) -> None:
    Path(tmp_path, "train.py").write_text("print('done')")
    code = """
import sys
from gradcheck_cli.cli import run
code = run(["run", "--output", "json=run.json", "train.py"])
print(code, sorted({"torch", "numpy", "pydantic"} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout == "done\n2 []\n"
    assert json.loads(Path(tmp_path, "run.json").read_text())["script_exit"] == 0


TRAIN = """
import torch
if __name__ == "__main__":
    model = torch.nn.Linear(2, 1)
    data = torch.utils.data.DataLoader(torch.ones(8, 2), batch_size=2, num_workers=1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x in data:
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
    print(model.weight.sum().item() < 0)
"""


def test_a_script_with_torch_is_watched_and_its_loader_is_not(tmp_path: Path) -> None:
    Path(tmp_path, "train.py").write_text(TRAIN)
    command = [sys.executable, "-m", "gradcheck_cli", "run", "--no-first", "--output", "json=run.json", "train.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    document: dict[str, Any] = json.loads(Path(tmp_path, "run.json").read_text())
    assert (document["steps"], document["ranks"], document["script_exit"]) == (4, 1, 0), ran.stderr
    assert (ran.returncode, ran.stdout) == (0, "True\n")


@pytest.mark.parametrize(
    "given",
    [
        ["run", "--redact", "private/ann/none.py"],
        ["run", "--redact", "--debug", "private/ann/none.py"],
        ["run", "--redact", "--save-batch", "private/ann/kept", "train.py"],
        ["run", "--redact", "--output", "json=private/ann/none/run.json", "train.py"],
        ["run", "--redact", "--format", "json", "--output", "json=private/ann/none/run.json", "train.py"],
        ["check", "--redact", "private/ann/none.py"],
        ["show", "--redact", "private/ann/none.json"],
    ],
)
def test_redacted_an_error_names_no_folder(started: Started, gradcheck: Call, given: list[str]) -> None:
    ended = gradcheck(*given)
    assert ended.code == 2 and "error: " in ended.err
    assert "private" not in ended.err + ended.out and "ann/" not in ended.err + ended.out
