"""The loss scale of a GradScaler is found and taken out."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradcheck_cli import check
from gradcheck_cli.target.loss.lossscale import listening, unscaled
from tests.probe.comparing import plain_norms, probed

X = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))


def layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 4)


def scaler(**fields: Any) -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", **fields)


def test_the_loss_before_it_was_scaled_is_returned_with_the_scale():
    before = torch.amp.GradScaler.scale
    loss = torch.tensor(2.0)
    with listening() as heard:
        returned = scaler(init_scale=8.0).scale(loss)
    assert torch.amp.GradScaler.scale is before
    found, scale = unscaled(returned, heard)
    assert found is loss and scale is not None
    assert (scale.factor, scale.backoff) == (8.0, 0.5)


def test_a_loss_that_no_scaler_returned_stays_as_it_is():
    with listening() as heard:
        scaler().scale(torch.tensor(2.0))
        same = scaler(enabled=False).scale(loss := torch.tensor(3.0))
    assert unscaled(same, heard) == (loss, None)
    assert unscaled(None, heard) == (None, None)


def test_no_number_has_the_scale_in_it():
    with_scale = scaler()
    scaled = probed(layer(), X, lambda m, x: with_scale.scale(m(x).square().mean()))
    plain = plain_norms(layer(), X, lambda m, x: m(x).square().mean())
    assert scaled.loss == pytest.approx(float(layer()(X).square().mean()))
    for parameter in scaled.parameters:
        assert parameter.grad_norm == pytest.approx(plain[parameter.names[0]], rel=1e-5)
    assert scaled.remarks == ("a GradScaler multiplies the loss by 65,536; that is taken out of every number",)


def test_a_constant_that_is_no_scaler_stays_in():
    found = probed(layer(), X, lambda m, x: 65536 * m(x).square().mean())
    assert found.loss == pytest.approx(65536 * float(layer()(X).square().mean()))
    assert found.remarks == ()


def half(m: nn.Module, x: Tensor, target: float) -> Tensor:
    with torch.autocast("cpu", dtype=torch.float16):
        return F.mse_loss(m(x), x + target)


def test_a_scaler_that_backs_off_and_then_trains_is_no_error():
    with_scale = scaler()
    report = check(layer(), X, step=lambda m, x: with_scale.scale(half(m, x, 300.0)))
    assert [f.code for f in report.findings if f.severity.value != "note"] == []
    (settling,) = [note for note in report.notes if "would skip the first" in note]
    assert "settle at" in settling
    assert all(math.isfinite(layer.grad_norm or 0.0) for layer in report.layers)


def test_a_gradient_that_no_scale_makes_finite_is_an_error():
    with_scale = scaler()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = check(layer(), X * 0, step=lambda m, x: with_scale.scale((m(x) - m(x).detach()).abs().sqrt().mean()))
    assert [f.code for f in report.findings if f.severity.value == "error"] == ["GC104"]
    assert any("not finite at any scale" in note for note in report.notes)
