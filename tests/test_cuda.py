"""On a GPU: `pytest -m cuda`. The tool is right there where it is on a CPU, and leaves a run as it found it."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from gradcheck_cli import check
from gradcheck_cli.records.timeline import Replay
from tests.benchmarks.watching import started_watcher, under
from tests.corpus import CASES, Case
from tests.corpus.verdicts import RECORDED, verdict_of
from tests.watch.running import FORMS, bare, taped
from tests.watch.test_forms import EXACT, EXPECTED
from tests.whole import plain, watched

pytestmark = pytest.mark.cuda
ON_A_CPU = {"packed_lstm_variable_length", "numpy_round_trip"}
"""Cases whose own code asks for tensors of the host."""
_RECORDED: dict[str, Any] = json.loads(RECORDED.read_text())
_FORMS = sorted(path for path in FORMS.glob("*.py") if path.stem not in ("numpy_round_trip", "own_generators"))


@pytest.fixture
def on_the_gpu() -> Iterator[None]:
    """Tensors and modules are made there where no device is named."""
    torch.set_default_device("cuda")
    try:
        yield
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize("case", [each for each in CASES if each.name not in ON_A_CPU], ids=lambda case: case.name)
def test_verdicts_are_those_of_a_cpu(case: Case) -> None:
    model, batch, step = case.make()  # of the host's random numbers
    model = model.cuda()
    batch = tree_map(lambda x: x.cuda() if isinstance(x, Tensor) else x, batch)
    torch.set_default_device("cuda")  # for tensors that a forward pass makes
    try:
        found = verdict_of(check(model, batch, step=step, **case.options))
    finally:
        torch.set_default_device(None)
    assert found == _RECORDED[f"corpus/{case.name}"]


@pytest.mark.usefixtures("on_the_gpu")
@pytest.mark.parametrize("path", _FORMS, ids=lambda path: path.stem)
def test_a_script_is_as_without_us_and_its_steps_are_repeated(path: Path) -> None:
    one, two = bare(path), taped(path)
    assert not two.failed
    assert two.printed == one.printed
    assert two.outcomes <= EXPECTED.get(path.stem, EXACT) | {Replay.EXACT}, two.replayed
    if bare(path).digest == one.digest:  # sums over atomics differ from one bare run to the next
        assert two.digest == one.digest


def test_a_step_takes_no_more_memory_than_without_us() -> None:
    layers = [part for _ in range(8) for part in (nn.Conv2d(32, 32, 3, 1, 1), nn.BatchNorm2d(32), nn.ReLU())]
    model = nn.Sequential(nn.Conv2d(3, 32, 1), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)).cuda()
    x, y = torch.randn(64, 3, 64, 64, device="cuda"), torch.randint(0, 10, (64,), device="cuda")
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)

    def peak() -> int:
        gc.collect()
        gc.disable()
        torch.cuda.reset_peak_memory_stats()
        for _ in range(20):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        gc.enable()
        return torch.cuda.max_memory_allocated()

    alone, seen = peak(), 0

    def work() -> None:
        nonlocal seen
        seen = peak()

    under(started_watcher(), work)
    assert seen <= 1.03 * alone


CAPTURED = """
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1)).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
x, y = torch.randn(64, 32, device="cuda"), torch.randn(64, 1, device="cuda")
side = torch.cuda.Stream()
side.wait_stream(torch.cuda.current_stream())
def step():
    optimizer.zero_grad(set_to_none=True)
    loss = (net(x) - y).square().mean()
    loss.backward()
    optimizer.step()
    return loss
with torch.cuda.stream(side):
    for _ in range(3):
        step()
torch.cuda.current_stream().wait_stream(side)
graph = torch.cuda.CUDAGraph()
with torch.cuda.graph(graph):
    loss = step()
for i in range(20):
    x.copy_(torch.randn(64, 32))
    graph.replay()
print(loss.item(), sum(p.double().sum().item() for p in net.parameters()))
"""
GRAPHED = """
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1)).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
fast = torch.cuda.make_graphed_callables(net, (torch.randn(64, 32, device="cuda"),))
for i in range(10):
    x = torch.randn(64, 32).cuda()
    if i == 6:
        x[3] = float("nan")
    optimizer.zero_grad()
    loss = fast(x).square().mean()
    loss.backward()
    optimizer.step()
print(loss.item())
"""


@pytest.mark.parametrize(("text", "steps"), [(CAPTURED, 3), (GRAPHED, 10)])
def test_cuda_graphs_are_captured_and_replayed_as_without_us(text: str, steps: int, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(text)
    ended = watched(script)
    assert ended.is_intact(plain(script)) and not ended.stepped_aside
    assert ended.steps == steps


SCALED = """
import torch
from torch import nn
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.Linear(16, 10)
    def forward(self, x):
        z = torch.relu(self.norm(self.conv(x))).mean((2, 3))
        return self.head(z * z.sum(1, keepdim=True).sqrt())
net = Net().cuda()
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)
scaler = torch.amp.GradScaler("cuda")
x, y = torch.randn(640, 3, 16, 16), torch.randint(0, 10, (640,))
x[403] = float("nan")
for step in range(40):
    rows = slice(16 * step, 16 * step + 16)
    images, labels = x[rows].cuda(non_blocking=True), y[rows].cuda()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cuda", dtype=torch.float16):
        loss = nn.functional.cross_entropy(net(images), labels)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
print(scaler.get_scale())
"""


def test_a_bad_row_is_found_under_a_loss_scale_and_a_fused_optimiser(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCALED)
    ended = watched(script)
    assert ended.is_intact(plain(script))
    (alarm,) = ended.run["alarms"]
    assert (alarm["kind"], alarm["step"], alarm["samples"], alarm["replay"]) == ("overflow", 26, [3], "exact")
    assert alarm["report"]["findings"][0]["cause"] == "nan-input"
