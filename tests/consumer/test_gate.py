"""The consumer's module runs, and `mypy --strict` takes it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from tests.consumer import gate


def test_it_runs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = [part for _ in range(12) for part in (nn.Linear(8, 8), nn.Sigmoid())]
    batch = torch.randn(32, 8), torch.randn(32, 1)
    assert gate.gate(nn.Sequential(*layers, nn.Linear(8, 1)), batch, tmp_path).startswith(
        "GC201 saturating-activation 0"
    )
    well = gate.gate(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)), batch, tmp_path)
    assert well == f"well, by {gate.gradcheck_cli.__version__}"
