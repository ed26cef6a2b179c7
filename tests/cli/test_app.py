from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradcheck_cli import __version__
from gradcheck_cli.reports import render
from tests.reports.examples import vanishing

HEAVY = "{'torch', 'numpy', 'pydantic', 'yaml'}"


def command(*arguments: str) -> list[str]:
    """The command line in a process that says on stderr which heavy modules it had loaded in the end."""
    code = f"import sys; from gradcheck_cli.cli import run; code = run({list(arguments)!r}); "
    code += f"print('loaded', sorted({HEAVY} & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["check", "--help"], 0),
        (["show", "--help"], 0),
        (["rule", "--help"], 0),
        (["rule"], 0),
        (["rule", "GC201"], 0),
        (["rule", "nonsense"], 2),
        (["show", "none.json"], 2),
        (["nonsense"], 2),
        ([], 2),
        (["check"], 2),
        (["check", "m.py", "--nope"], 2),
        (["check", "m.py", "--select", "GC9"], 2),
        (["check", "m.py", "--output", "json"], 2),
    ],
    ids=str,
)
def test_help_rules_and_usage_errors_load_nothing_heavy(arguments: list[str], code: int) -> None:
    ended = subprocess.run(command(*arguments), capture_output=True, text=True)
    assert ended.returncode == code
    assert ended.stderr.endswith("loaded []\n")


def test_show_loads_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(render(vanishing(), "json"))
    ended = subprocess.run(command("show", str(path)), capture_output=True, text=True)
    assert ended.returncode == 0
    assert ended.stderr.endswith("loaded []\n")


@pytest.mark.parametrize("model", ["nonsense.py", "x.py:"])
def test_a_missing_model_is_told_without_torch(model: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    ended = subprocess.run(command("check", model), capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert ended.returncode == 2
    assert "'torch'" not in ended.stderr


def test_version(gradcheck) -> None:
    assert gradcheck("--version").out == f"gradcheck {__version__}\n"


def test_help_lists_the_commands_and_the_exit_codes(gradcheck) -> None:
    out = gradcheck("--help").out
    assert all(word in out for word in ("check", "show", "rule", "143 ended by a signal"))


def test_an_unknown_command_is_suggested(gradcheck) -> None:
    ended = gradcheck("chekc", "m.py")
    assert ended.code == 2
    assert "check" in ended.err


def test_a_usage_error_with_json_gives_a_document(gradcheck) -> None:
    ended = gradcheck("check", "--format", "json")
    assert ended.code == 2
    assert json.loads(ended.out)["status"] == "failed"


def test_a_reader_that_goes_away_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(render(vanishing(), "json"))
    script = f"{sys.executable} -m gradcheck_cli show {path} | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_of_stdout(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(render(vanishing(), "json"))
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    ended = subprocess.run(
        [sys.executable, "-m", "gradcheck_cli", "show", str(path)], capture_output=True, env=environment
    )
    assert ended.returncode == 0
    assert ("█" in ended.stdout.decode(encoding)) == (encoding == "utf-8")
