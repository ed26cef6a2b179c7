"""The files that other systems read: every name in them exists, and the script of the action does what it says."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gradcheck_cli.cli import run
from gradcheck_cli.reports import FORMATS

ROOT = Path(__file__).parent.parent
REFERENCE = re.compile(r"\$\{\{(.*?)\}\}")
STUB = """#!/usr/bin/env bash
printf '%s\\n' "$@" > "$RECORD"
for word in "$@"; do case "$word" in markdown=*) echo "## summary" > "${word#markdown=}";; esac; done
exit "$CODE"
"""


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def references(value: object, kind: str) -> set[str]:
    """Names after `kind.` in every expression of a file, such as `inputs.config`."""
    found = " ".join(REFERENCE.findall(yaml.safe_dump(value, width=10_000)))
    return set(re.findall(rf"\b{kind}\.([\w-]+)", found))


ACTION = load("action.yml")
WORKFLOW = load(".github/workflows/gradcheck.yml")
SCRIPT = ACTION["runs"]["steps"][0]["run"]


def test_every_input_is_used_and_every_used_input_is_declared() -> None:
    assert references(ACTION["runs"], "inputs") == set(ACTION["inputs"])
    assert all(one["description"] and not one["required"] and "default" in one for one in ACTION["inputs"].values())


def test_inputs_reach_the_script_through_the_environment_only() -> None:
    step = ACTION["runs"]["steps"][0]
    assert "${{" not in SCRIPT
    assert all(f"${name}" in SCRIPT or f"${{{name}" in SCRIPT for name in step["env"])
    assert step["shell"] == "bash"


def test_every_output_is_written_by_the_step_it_names() -> None:
    ids = {step["id"] for step in ACTION["runs"]["steps"]}
    assert references(ACTION["outputs"], "steps") <= ids
    written = set(re.findall(r'echo "([\w-]+)=.*GITHUB_OUTPUT', SCRIPT))
    assert references(ACTION["outputs"], r"steps\.batch\.outputs") == written == set(ACTION["outputs"])


def test_the_formats_of_the_action_exist() -> None:
    named = {*re.findall(r"--format (\w+)", SCRIPT), *re.findall(r'--output "(\w+)=', SCRIPT)}
    assert named == {"github", "sarif", "markdown"}
    assert named <= set(FORMATS)


def act(tmp_path: Path, code: int, **inputs: str) -> tuple[int, list[str], dict[str, str], str]:
    """Run the action's script with a `gradcheck` that records how it was called."""
    stub = tmp_path / "gradcheck"
    stub.write_text(STUB)
    stub.chmod(0o755)
    names = ("RECORD", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CODE": str(code),
        **{name: str(tmp_path / name) for name in names},
        **{f"GRADCHECK_{name.upper()}": inputs.get(name, each["default"]) for name, each in ACTION["inputs"].items()},
    }
    ended = subprocess.run(["bash", "-eo", "pipefail", "-c", SCRIPT], env=environment, cwd=tmp_path, check=False)
    record, output, summary = ((tmp_path / name).read_text() for name in names)
    return ended.returncode, record.splitlines(), dict(line.split("=", 1) for line in output.splitlines()), summary


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_script_ends_as_gradcheck_does_and_writes_all_it_promises(tmp_path: Path, code: int) -> None:
    ended, words, output, summary = act(tmp_path, code)
    assert ended == code
    assert words[:3] == ["batch", "--format", "github"]
    assert "sarif=gradcheck.sarif" in words
    assert output == {"sarif": "gradcheck.sarif", "exit-code": str(code)}
    assert summary == "## summary\n"


def test_inputs_are_arguments_and_never_commands(tmp_path: Path) -> None:
    hostile = f"a b;touch {tmp_path}/owned.yaml"
    _, words, _, _ = act(tmp_path, 0, config=hostile, args="-k * $(touch owned)", sarif="my report.sarif")
    assert words[:6] == ["batch", hostile, "-k", "*", "$(touch", "owned)"]
    assert "sarif=my report.sarif" in words
    assert not list(tmp_path.glob("owned*"))


def test_the_workflow_uses_the_action_on_the_samples() -> None:
    steps = WORKFLOW["jobs"]["samples"]["steps"]
    (ours,) = (step for step in steps if step.get("uses") == "./")
    assert set(ours["with"]) <= set(ACTION["inputs"])
    assert (ROOT / ours["with"]["config"]).is_file()
    assert references(steps, "steps") == {ours["id"]}
    assert references(steps, rf"steps\.{ours['id']}\.outputs") <= set(ACTION["outputs"])
    assert all("@" in step["uses"] for step in steps if "uses" in step and step is not ours)


def test_the_files_that_the_workflow_installs_from_exist() -> None:
    (install,) = (step["run"] for step in WORKFLOW["jobs"]["samples"]["steps"] if "run" in step)
    assert (ROOT / re.search(r"-c (\S+)", install)[1]).is_file()  # type: ignore[index]


def test_the_hook_runs_a_command_that_exists(capsys: pytest.CaptureFixture[str]) -> None:
    (hook,) = load(".pre-commit-hooks.yaml")
    assert (hook["id"], hook["language"], hook["pass_filenames"]) == ("gradcheck", "system", False)
    program, command, option = hook["entry"].split()
    assert program == "gradcheck"
    assert run([command, "--help"]) == 0
    assert option in capsys.readouterr().out
