"""Runs that are long, that are killed, and that go on from a checkpoint."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.timeline import Outcome, Timeline
from gradcheck_cli.reports import Style, render
from gradcheck_cli.worker.runs import STILL_RUNNING, run_watched

HEAD = """
import json, os, sys
import torch
from torch import nn
torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_num_threads(1)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

def train(steps, spike=None, say=lambda step: None):
    for step in range(1, steps + 1):
        x = torch.randn(16, 8)
        y = x.sum(1, keepdim=True) + 0.3 * torch.randn(16, 1)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), 30 * y if step == spike else y)
        loss.backward()
        optimizer.step()
        say(step)
"""
LONG = (
    HEAD
    + """
steps, told = int(sys.argv[1]), {}
def memory():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
def say(step):
    if step in (steps // 2 + 200, steps):
        told[step] = memory()
train(steps, spike=steps // 2, say=say)
json.dump(list(told.values()), open(sys.argv[2], "w"))
"""
)
RESUMED = (
    HEAD
    + """
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 100))
if sys.argv[1] == "save":
    train(400, say=lambda step: scheduler.step())
    torch.save([each.state_dict() for each in (model, optimizer, scheduler)], sys.argv[2])
else:
    for each, state in zip((model, optimizer, scheduler), torch.load(sys.argv[2])):
        each.load_state_dict(state)
    train(int(sys.argv[3]), say=lambda step: scheduler.step())
"""
)
ENDLESS = HEAD + "train(10**9, say=lambda step: step == 500 and open(sys.argv[1], 'w').close())\n"


def watched(folder: Path, text: str, *arguments: str) -> Timeline:
    script = folder / "train.py"
    script.write_text(text)
    options = RunOptions(command=("train.py", *arguments), first=False)
    return run_watched([sys.executable, str(script), *arguments], options)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("steps", [3_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_long_run_takes_no_more_memory_and_its_document_stays_small(tmp_path: Path, steps: int) -> None:
    timeline = watched(tmp_path, LONG, str(steps), str(tmp_path / "memory.json"))
    halfway, end = json.loads((tmp_path / "memory.json").read_text())
    assert end - halfway < 2, "megabytes"
    assert timeline.steps == steps and timeline.status is Status.HEALTHY
    assert max(point.max for point in timeline.series["loss"]) > 1e3
    assert len(timeline.series["loss"]) <= 400
    spikes = [alarm for alarm in timeline.alarms if alarm.step == steps // 2]
    assert [alarm.verdict for alarm in spikes] == [Outcome.RECOVERED]
    assert len(render(timeline, "json", Style())) < 2e6


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in (1, 2))])
def test_runs_that_go_on_from_a_checkpoint_raise_nothing_at_their_first_steps(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEED", str(seed))
    kept = str(tmp_path / "checkpoint.pt")
    (tmp_path / "train.py").write_text(RESUMED)
    subprocess.run([sys.executable, str(tmp_path / "train.py"), "save", kept], check=True)
    for steps in (12, 80):
        timeline = watched(tmp_path, RESUMED, "load", kept, str(steps))
        assert (timeline.steps, timeline.alarms, timeline.status) == (steps, (), Status.HEALTHY)


COMMAND = """
import sys
from gradcheck_cli.worker import runs
from gradcheck_cli.__main__ import main
runs._SAVED_EVERY = 0.5
sys.argv[0] = "gradcheck"
main()
"""


def until(there: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if there.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    assert there.exists()


@pytest.mark.parametrize("killed", ["script", "command"])
def test_what_was_known_is_left_whoever_is_killed(tmp_path: Path, killed: str) -> None:
    (tmp_path / "train.py").write_text(f"import os\nopen('pid', 'w').write(str(os.getpid()))\n{ENDLESS}")
    command = [sys.executable, "-c", COMMAND, "run", "-q", "--no-first", "--output", "json=run.json"]
    process = subprocess.Popen([*command, "train.py", "far"], cwd=tmp_path)
    try:
        until(tmp_path / "far", process)
        (tmp_path / "run.json").unlink(missing_ok=True)
        until(tmp_path / "run.json", process)
        so_far = json.loads((tmp_path / "run.json").read_text())
        assert so_far["steps"] > 100 and so_far["notes"][0].startswith(STILL_RUNNING)
        script = int((tmp_path / "pid").read_text())
        if killed == "command":
            process.kill()
            process.wait()
            left = json.loads((tmp_path / "run.json").read_text())
            assert left["steps"] >= so_far["steps"] and left["series"]["loss"]
            return
        os.kill(script, signal.SIGKILL)
        assert process.wait(30) == 128 + signal.SIGKILL
        told = json.loads((tmp_path / "run.json").read_text())
        assert told["steps"] >= so_far["steps"] and told["script_exit"] == 137
        assert not any(note.startswith(STILL_RUNNING) for note in told["notes"])
    finally:
        process.kill()
        with suppress(OSError, ValueError):
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
