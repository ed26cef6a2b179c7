"""What float16 loses, measured against float32, and the loss scale that rescues it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradcheck_cli import Report, check


def model(dtype: torch.dtype = torch.float16) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)).to(dtype)


def judged(scale: float, dtype: torch.dtype = torch.float16) -> Report:
    torch.manual_seed(1)
    x, y = torch.randn(64, 16).to(dtype), torch.arange(64) % 4

    def step(net: nn.Module, batch: tuple) -> torch.Tensor:
        return scale * nn.functional.cross_entropy(net(batch[0]).float(), batch[1])

    return check(model(dtype), (x, y), step=step)


def codes(report: Report) -> list[str]:
    return [f.code for f in report.findings if f.severity.value != "note"]


def test_underflow_tells_the_share_and_a_scale_that_rescues_it():
    report = judged(1e-5)
    (found,) = [f for f in report.findings if f.code == "GC501"]
    assert codes(report) == ["GC501"]
    assert (found.cause, found.family.value) == ("fp16-underflow", "precision")

    net = model()
    torch.manual_seed(1)
    x, y = torch.randn(64, 16).half(), torch.arange(64) % 4
    (1e-5 * nn.functional.cross_entropy(net(x).float(), y)).backward()
    low = {name: p.grad for name, p in net.named_parameters()}
    wide = model().float()
    (1e-5 * nn.functional.cross_entropy(wide(x.float()), y)).backward()
    full = {name: p.grad for name, p in wide.named_parameters()}
    worst = max(((low[n] == 0) & (full[n] != 0)).float().mean().item() for n in low)
    assert found.evidence["lost_share"] == pytest.approx(worst)
    assert worst > 0.1

    scale = found.evidence["loss_scale"]
    assert scale == 2 ** int(scale).bit_length() / 2  # a power of two
    assert codes(judged(1e-5 * scale)) == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_a_wide_range_loses_nothing(dtype: torch.dtype):
    assert codes(judged(1e-5, dtype)) == []


def test_a_loss_scale_that_is_applied_changes_no_verdict():
    assert codes(judged(1.0)) == codes(judged(1024.0)) == []


def test_gradients_near_the_largest_number_are_told():
    report = judged(2.0**19)
    assert "GC502" in codes(report)


def test_the_model_comes_back_as_it_was():
    net = model()
    before = {name: p.clone() for name, p in net.named_parameters()}
    check(net, (torch.randn(8, 16).half(), torch.arange(8) % 4), loss="cross_entropy")
    assert all(torch.equal(before[name], p) and p.dtype == torch.float16 for name, p in net.named_parameters())
    assert all(p.grad is None for p in net.parameters())
