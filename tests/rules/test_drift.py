"""Gradients that are held against those of a baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gradcheck_cli.pipeline import run_check
from gradcheck_cli.records.choices import Severity, Status
from gradcheck_cli.records.drift import Drift
from gradcheck_cli.records.spec import CheckSpec

FILE = """\
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
batch = (torch.randn(16, 4), torch.arange(16) % 3)
loss = nn.functional.cross_entropy
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> CheckSpec:
    path = tmp_path_factory.mktemp("drift") / "m.py"
    path.write_text(FILE)
    return CheckSpec(model=str(path))


def moved(spec: CheckSpec, by: float, limit: float = 1.0, layers: tuple[str, ...] = ("0", "2")) -> CheckSpec:
    now = {layer.path: layer.decades or 0.0 for layer in run_check(spec).layers}
    return replace(spec, drift=Drift(limit=limit, before={path: now[path] - by for path in layers}))


def test_a_healthy_layer_that_moved_farther_than_allowed_is_reported(spec: CheckSpec):
    report = run_check(moved(spec, 1.5, layers=("2",)))
    (finding,) = report.findings
    assert (finding.code, finding.severity, finding.layers) == ("GC620", Severity.WARNING, ("2",))
    assert finding.evidence["moved"] == pytest.approx(1.5)
    assert finding.evidence["after"] - finding.evidence["before"] == pytest.approx(1.5)
    assert "moved by up to +1.5 decades" in finding.message
    assert (report.status, report.exit_code) == (Status.ILL, 1)
    assert [layer.status for layer in report.layers] == ["ok", "GC620"]


@pytest.mark.parametrize(("by", "limit"), [(0.0, 0.001), (0.9, 1.0), (-0.9, 1.0), (5.0, 6.0)])
def test_what_moved_less_is_left_alone(spec: CheckSpec, by: float, limit: float):
    assert run_check(moved(spec, by, limit)).findings == ()


def test_it_can_be_ignored_and_layers_that_are_new_have_no_before(spec: CheckSpec):
    far = moved(spec, -3.0)
    assert run_check(replace(far, ignore=("GC620",))).exit_code == 0
    assert run_check(replace(spec, drift=Drift(limit=1.0, before={"gone": -9.0}))).findings == ()


def test_a_gradient_that_became_zero_has_moved(tmp_path: Path):
    path = tmp_path / "m.py"
    path.write_text(FILE + "nn.init.zeros_(model[2].weight)\n")
    report = run_check(CheckSpec(model=str(path), drift=Drift(limit=9.0, before={"0": -1.0, "2": -1.0})))
    finding = report.findings[0]
    assert (finding.code, finding.layers) == ("GC620", ("0",))
    assert finding.message == "the gradient of `0` has become zero since the baseline"
