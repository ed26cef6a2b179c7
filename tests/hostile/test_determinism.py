"""Same inputs, seed and thread count: the same report, byte for byte apart from times, trials included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ILL = """
import random
import numpy as np
import torch
from torch import nn

names = {f"layer{i}" for i in range(12)}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        for name in sorted(names):
            self.add_module(name, nn.Linear(16, 16))
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        x = x + 0.01 * random.random() + 0.01 * np.random.rand() + 0.01 * torch.rand(())
        for layer in list(self.children())[:-1]:
            x = torch.sigmoid(nn.functional.dropout(layer(x), 0.1))
        return self.head(x)

model = Net()

def make_batch():
    return torch.randn(32, 16) * random.random(), torch.randint(4, (32,))

criterion = nn.functional.cross_entropy
"""


def report(folder: Path, hash_seed: str, *arguments: str) -> dict[str, Any]:
    command = (sys.executable, "-m", "gradcheck_cli", "check", "m.py", "--format", "json", *arguments)
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "seconds": None}


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--try-budget", "100", "--batches", "3"), id="trials and three batches"),
        pytest.param(("--try-budget", "100"), id="trials", marks=pytest.mark.sweep),
        pytest.param(("--no-try", "--batches", "3"), id="three batches", marks=pytest.mark.sweep),
    ],
)
def test_two_runs_write_the_same_report(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "m.py").write_text(ILL, encoding="utf-8")
    first, second = (report(tmp_path, seed, *arguments) for seed in ("1", "2"))
    assert first == second
    tried = {remedy["trial"]["outcome"] for finding in first["findings"] for remedy in finding["remedies"]}
    assert ("fixed" in tried) == ("--no-try" not in arguments)
