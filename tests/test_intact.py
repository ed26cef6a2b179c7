"""Whole scripts under `gradcheck run`, with steps repeated in the middle: what they do is what they do without it.

A process takes seconds, so few of these run in CI; `pytest -m sweep` runs all.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.benchmarks.watching import peaks
from tests.watch.running import FORMS
from tests.whole import Ended, plain, watched, written

ODD = FORMS.parent / "odd"
IN_CI = {"gan"}
AT = ("--at", "3", "--at", "7", "--fail-on", "never")
NET = """
import math, sys
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)
"""
NAN = """
for step in range(1, 6):
    if step == 4:
        x = x.clone()
        x[5, 1] = math.nan
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
"""
UPDATE = "    loss.backward()\n    opt.step()\n"


def swept(name: str) -> pytest.ParameterSet:  # type: ignore[name-defined]
    return pytest.param(name, marks=() if name in IN_CI else pytest.mark.sweep)


def compared(script: Path, *options: str) -> Ended:
    """A script that is watched, after it was found to do all that it does without us."""
    bare, ended = plain(script), watched(script, *options)
    assert ended.is_intact(bare), f"{bare.out}\n{bare.err}\n-- watched:\n{ended.out}\n{ended.err}"
    assert not ended.stepped_aside
    return ended


# -- bit for bit


@pytest.mark.parametrize("name", [swept(path.stem) for path in sorted(FORMS.glob("*.py"))])
def test_a_form_ends_with_the_same_weights_random_states_and_words(name: str, tmp_path: Path) -> None:
    script = written(tmp_path, (FORMS / f"{name}.py").read_text(encoding="utf-8"), telling=True)
    assert compared(script, *AT).steps >= 3


@pytest.mark.parametrize("name", [swept(path.stem) for path in sorted(ODD.glob("*.py"))])
def test_an_odd_script_is_as_it_was(name: str, tmp_path: Path) -> None:
    ended = compared(written(tmp_path, (ODD / f"{name}.py").read_text(encoding="utf-8")), *AT)
    assert ended.steps >= 3
    assert {each["replay"] for each in ended.run["diagnoses"]} == {"exact"} or ended.run["notes"]


@pytest.mark.sweep
@pytest.mark.parametrize(
    "text",
    ["import sys\nprint('hello', 'torch' in sys.modules)\n", NET + "net.eval()\nprint(net(x).sum().item())\n"],
    ids=["no torch", "evaluation"],
)
def test_a_script_that_trains_nothing_is_told_to(text: str, tmp_path: Path) -> None:
    ended = compared(written(tmp_path, text))
    assert (ended.code, ended.run["status"], ended.steps) == (2, "unknown", 0)
    assert "no step was seen" in ended.err


# -- errors


RAISING = {
    "in a forward": "class Bad(nn.Module):\n    def forward(self, x):\n        return x @ torch.ones(3, 3)\n"
    "nn.Sequential(net, Bad())(x)\n",
    "in a loss": "nn.functional.binary_cross_entropy(net(x) + 7, y)\n",
    "in a backward pass": "net(x).backward()\n",
    "with a hook of its own": "import traceback\n"
    "sys.excepthook = lambda *error: (print('hooked', file=sys.stderr), traceback.print_exception(*error))\n"
    "net(torch.ones(3, 5))\n",
    "in a thread": "import threading\nthread = threading.Thread(target=lambda: net(torch.ones(3, 5)), name='one')\n"
    "thread.start()\nthread.join()\n",
    "that is logged": "import logging\ntry:\n    net(torch.ones(3, 5))\nexcept RuntimeError:\n"
    "    logging.exception('it failed')\n",
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.sweep) for name in RAISING])
def test_the_traceback_is_that_of_plain_python(name: str, tmp_path: Path) -> None:
    text = NET + f"for step in range(3):\n    opt.zero_grad()\n    loss = net(x).square().mean()\n{UPDATE}"
    ended = compared(written(tmp_path, text + RAISING[name]))
    assert "Error" in ended.err and "gradcheck_cli" not in ended.err and not ended.run["alarms"]


STOPPING = {
    "assert": NET + NAN + "    assert torch.isfinite(loss), 'the loss is not finite'\n" + UPDATE,
    "ValueError": NET + NAN + "    if not torch.isfinite(loss):\n        raise ValueError(loss.item())\n" + UPDATE,
    "sys.exit": NET + NAN + "    if torch.isnan(loss):\n        sys.exit(1)\n" + UPDATE,
    "exit": NET + NAN + "    if torch.isnan(loss):\n        exit('the loss is nan')\n" + UPDATE,
    "in a function": NET
    + "def train(x):\n"
    + "\n".join(
        f"    {line}" for line in (NAN + "    if torch.isnan(loss):\n        sys.exit(1)\n" + UPDATE).splitlines()
    )
    + "\ntrain(x)\n",
    "in a distribution": NET
    + NAN.replace("nn.functional.mse_loss(net(x), y)", "-torch.distributions.Normal(net(x), 1.0).log_prob(y).mean()")
    + UPDATE,
    "in a loss": NET
    + NAN.replace("mse_loss(net(x), y)", "binary_cross_entropy(net(x).sigmoid(), y.sigmoid())")
    + UPDATE,
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.sweep) for name in STOPPING])
def test_a_script_that_stops_at_a_value_that_is_not_finite_is_explained(name: str, tmp_path: Path) -> None:
    ended = compared(written(tmp_path, STOPPING[name]))
    (alarm,) = ended.run["alarms"]
    assert (alarm["kind"], alarm["step"], alarm["replay"], alarm["samples"]) == ("nonfinite", 4, "exact", [5])
    assert any(finding["cause"] == "nan-input" for finding in alarm["report"]["findings"])
    assert ended.code == ended.run["script_exit"] == 1


# -- options


LOOP = """
try:
    for step in range(1, 50):
        if step == AT:
            x = x.clone()
            x[[2, 9], 1] = math.nan
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        opt.step()
finally:
    print("finally", step)
print("the end")
"""


@pytest.mark.sweep
def test_after_its_last_step_a_script_ends_and_cleans_up(tmp_path: Path) -> None:
    atexit = "import atexit\natexit.register(print, 'atexit')\n"
    ended = watched(written(tmp_path, NET + atexit + LOOP.replace("AT", "0")), "--steps", "3", "--no-try")
    assert (ended.out, ended.run["script_exit"], ended.steps) == ("finally 4\natexit\n", None, 3)
    assert [each["step"] for each in ended.run["diagnoses"]] == [1, 3]


@pytest.mark.sweep
def test_a_script_that_will_not_end_is_ended(tmp_path: Path) -> None:
    text = f"""{NET}
for step in range(50):
    try:
        opt.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        opt.step()
    except SystemExit:
        print("caught", step, flush=True)
print("the end")
"""
    ended = watched(written(tmp_path, text), "--steps", "2", "--no-try")
    assert (ended.out, ended.run["script_exit"], ended.steps) == ("caught 2\ncaught 3\n", None, 2)


@pytest.mark.sweep
def test_an_alarm_stops_a_script_and_keeps_its_batch(tmp_path: Path) -> None:
    script = written(tmp_path, NET + LOOP.replace("AT", "7"))
    ended = watched(script, "--on-alarm", "stop", "--save-batch", "kept")
    assert ended.run["script_exit"] is None and ended.code == 1 and ended.out.startswith("finally")
    assert "the end" not in ended.out
    (path,) = (tmp_path / "kept").iterdir()
    kept = torch.load(path, weights_only=True)
    assert kept["samples"] == [2, 9] and kept["batch"][0].isnan().sum(1).nonzero().flatten().tolist() == [2, 9]


@pytest.mark.sweep
@pytest.mark.parametrize("name", ["auxiliary", "micro-batches"])
def test_what_lingers_takes_next_to_no_memory(name: str) -> None:
    """The median of three: where the allocator gives memory back differs from process to process."""
    ratios = sorted(watched / alone for alone, watched in (peaks(name) for _ in range(3)))
    assert ratios[1] <= 1.03
