"""The way in and out of the command: what it imports, which streams it has, and the code that it ends with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gradcheck_cli import __version__
from gradcheck_cli.reports import render
from tests.reports.examples import vanishing

RUN = [sys.executable, "-m", "gradcheck_cli"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
SHADOWS = ("json", "gc", "signal", "typer", "click", "dataclasses", "pathlib", "gradcheck")


def ended(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`main` in a process where `code` ran before it."""
    script = (
        f"import sys\nsys.argv[1:] = {list(arguments)!r}\n{code}\nfrom gradcheck_cli.__main__ import main\nmain()\n"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


def test_python_m_runs_it() -> None:
    ended = subprocess.run([sys.executable, "-m", "gradcheck_cli", "--version"], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, f"gradcheck {__version__}\n")


def test_files_in_the_working_folder_shadow_no_module(tmp_path: Path) -> None:
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the file of the user was imported')\n")
    done = subprocess.run([*RUN, "rule", "GC201"], capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("GC201")


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--version"], 0), ([], 2), (["rule", "nonsense"], 2), (["show", "none.json"], 2)], ids=str
)
def test_the_exit_code_is_that_of_the_command(arguments: list[str], code: int) -> None:
    assert ended("", *arguments).returncode == code


EXIT = "import atexit\natexit.register(print, 'at exit')"


def test_without_the_users_code_it_ends_at_once(tmp_path: Path) -> None:
    done = ended(EXIT, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"gradcheck {__version__}\n", "")


def test_where_torch_was_imported_what_has_to_be_done_at_exit_is_done_off_stdout() -> None:
    done = ended(f"{EXIT}\nimport json\nsys.modules['torch'] = json", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"gradcheck {__version__}\n", "at exit\n")


SIGNALLED = """
import os
class Signals:
    def find_spec(self, name, path, target=None):
        if name == "gradcheck_cli.cli":
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Signals())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_is_still_importing_is_quiet_and_has_its_code(number: int) -> None:
    done = ended(SIGNALLED.format(number=int(number)), "--version")
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")


def test_ctrl_c_that_nobody_made_a_signal_of_is_130() -> None:
    raising = SIGNALLED.replace("os.kill(os.getpid(), {number})", "raise KeyboardInterrupt")
    done = ended(raising, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
def test_a_stream_that_is_missing_is_one_that_goes_nowhere(name: str) -> None:
    code = f"sys.{name} = None\nfrom gradcheck_cli.__main__ import _open_streams\n_open_streams()\n"
    told = "sys.__stdout__.write(' '.join(map(repr, (stream.mode, os.get_inheritable(stream.fileno()))))); sys.exit(5)"
    done = ended(f"import os\n{code}stream = sys.{name}\n{told}")
    assert (done.returncode, done.stdout) == (5, f"'{'r' if name == 'stdin' else 'w'}' True")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_exit_code(tmp_path: Path, closed: str) -> None:
    (tmp_path / "r.json").write_text(render(vanishing(), "json"))
    script = f"{sys.executable} -m gradcheck_cli show {tmp_path}/r.json --output json={tmp_path}/new.json {closed}"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads((tmp_path / "new.json").read_text())["exit_code"] == 1


def test_threads_and_exit_handlers_of_the_users_code_stay_off_stdout(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(
        "import atexit, threading, time, torch\n"
        "def talk():\n    for _ in range(100): print('thread'); time.sleep(0.01)\n"
        "threading.Thread(target=talk).start()\n"
        "atexit.register(print, 'at exit')\n"
        "model = torch.nn.Linear(3, 2)\n"
        "batch = torch.randn(4, 3), torch.zeros(4, dtype=torch.int64)\n"
    )
    command = [sys.executable, "-m", "gradcheck_cli", "check", "m.py", "--format", "json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert json.loads(ended.stdout)["status"] == "healthy"
    assert "thread" in ended.stderr
    assert "at exit" in ended.stderr
