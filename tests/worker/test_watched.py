"""What the boot starts: a watcher by the options of the session, and the explanation that `check` would give."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.timeline import Replay, Why
from gradcheck_cli.watch.session import write_options
from gradcheck_cli.watch.sessionreader import read

SCRIPT = """
import sys
import torch
from gradcheck_cli.worker.watched import attach

attach(sys.argv[1])
known = {name.partition(".")[2] for name in sys.modules if name.startswith("gradcheck_cli.")}
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    x = torch.randn(8, 4)
    if step == 1:
        x[3, 0] = float("nan")
    optimizer.zero_grad()
    net(x).square().mean().backward()
    optimizer.step()
import json
print(json.dumps(sorted(known)))
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("session")
    write_options(str(folder), RunOptions(command=("train.py",), ignore=("GC401",), at=("1",)))
    script = folder / "train.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(folder)], capture_output=True, text=True, check=True, env=os.environ
    )
    assert not done.stderr
    return folder, json.loads(done.stdout)


def test_the_step_is_explained_as_check_does(ran: tuple[Path, list[str]]) -> None:
    (process,) = read(str(ran[0]))
    (diagnosed,) = process.diagnosed
    assert (diagnosed.why, diagnosed.replay) == (Why.AT, Replay.EXACT)
    assert [layer.path for layer in diagnosed.report.layers] == ["0", "2"]
    entry = process.raised[0]
    assert entry.samples == (3,) and entry.report is not None
    assert any(finding.cause == "nan-input" for finding in entry.report.findings)
    assert not process.aside


def test_nothing_of_the_stages_is_imported_before_a_step_is_explained(ran: tuple[Path, list[str]]) -> None:
    stages = {"pipeline", "probe", "rules", "remedies", "trials", "evidence", "target", "config", "reports", "cli"}
    assert not {name.partition(".")[0] for name in ran[1]} & stages
    assert {"watch.watcher", "watch.tape"} <= set(ran[1])
