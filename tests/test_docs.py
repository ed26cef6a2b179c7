"""docs/run.md: every command in it runs; `tests/test_samples.py` holds what it shows to what is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUN = (ROOT / "docs" / "run.md").read_text(encoding="utf-8")
TRAINING = """
import argparse, os, sys
import torch
from torch import nn
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=1)
parser.parse_args()
torch.manual_seed(0)
net = nn.Linear(4, 1)
if "RANK" in os.environ:
    torch.distributed.init_process_group("gloo")
    net = nn.parallel.DistributedDataParallel(net)
optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
for step in range(12):
    x = torch.rand(8, 4) + 1
    if step == 6:
        x[5, 2] = 0
    loss = (net(x).squeeze(1) * x[:, 2].log()).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def blocks(language: str) -> list[str]:
    """The blocks of code of a language; those of a list are indented."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", RUN, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def commands() -> list[str]:
    return [line.partition("   #")[0].strip() for block in blocks("bash") for line in block.splitlines()]


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """A folder as the page has it in mind, and the environment of a shell in it where `gradcheck` is this one."""
    for name in ("train.py", "train_ddp.py", "my_pkg/train.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(TRAINING)
    (tmp_path / "gradcheck.yaml").write_text(blocks("yaml")[0])
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "gradcheck"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gradcheck_cli "$@"\n')
    command.chmod(0o755)
    path = os.pathsep.join((str(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]))
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.mark.sweep
def test_every_command_of_the_page_runs(tmp_path: Path, shell: dict[str, str]) -> None:
    """In their order, since one shows what another has written."""
    assert len(commands()) > 15
    for line in commands():
        if "--log-to" in line and find_spec("tensorboard") is None:
            continue  # it says so itself, which has a test of its own
        ran = subprocess.run(line, shell=True, cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=300)
        told = f"{line}\n{ran.stdout}{ran.stderr}"
        is_ill = line.startswith("gradcheck run") and "--steps 1 " not in line  # which stops before the step at fault
        assert ran.returncode == is_ill, told
        assert "error: " not in ran.stderr and "Traceback" not in ran.stderr, told
        assert not is_ill or "step 7 of" in ran.stderr, told
    assert {"run.html", "run.json", "run.md", "run.xml", "bad"} <= {path.name for path in tmp_path.iterdir()}


def test_every_code_and_option_of_the_page_exists() -> None:
    from gradcheck_cli.cli import run
    from gradcheck_cli.rules import EVERY_RULE

    codes = {rule.code for rule in EVERY_RULE}
    assert set(re.findall(r"GC\d{3}", RUN)) <= codes
    ours = {option for line in commands() for option in re.findall(r" (--[\w-]+)", line)}
    assert {"--steps", "--at", "--redact", "--log-to"} <= ours
    assert run(["run", "--help"]) == 0


def test_the_help_tells_in_the_order_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    from gradcheck_cli.cli import run

    run(["run", "--help"])
    shown = capsys.readouterr().out
    places = [shown.index(f"\n{heading}:") for heading in ("Run", "Output", "Remedies", "Verdict", "Cost", "Options")]
    assert places == sorted(places)
    for section, option in (("What to type", "--steps"), ("What is tried", "--no-try"), ("Cost", "--budget")):
        assert option in RUN.partition(f"## {section}")[2].partition("\n## ")[0] and option in shown
