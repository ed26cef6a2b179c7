"""What the code of a loss compares, as the probe sees it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli.probe import measure
from gradcheck_cli.records.targetcomparison import TargetComparison
from gradcheck_cli.target import wrap_target

X, Y = torch.arange(24.0).view(8, 3) / 10, torch.arange(8.0)


def seen(step: Callable[..., Tensor], *layers: nn.Module) -> tuple[TargetComparison, ...]:
    """What a step on a layer of one unit, and what follows it, compares."""
    torch.manual_seed(0)
    target = wrap_target(nn.Sequential(nn.Linear(3, 1), *layers), (X, Y), step=step)
    return measure(target, target.batches[0]).comparisons


def written(use: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """A step whose loss is made of output and target."""

    def step(model: nn.Module, batch: Any) -> Tensor:
        return use(model(batch[0]), batch[1])

    return step


def test_a_comparison_has_its_shapes_ranges_and_line() -> None:
    (found,) = seen(written(lambda o, t: F.mse_loss(o[:, 0], t)), nn.Sigmoid())
    assert (found.function, found.op, found.averaged, found.made_by) == ("mse_loss", 0, True, "Sigmoid")
    assert (found.output.shape, found.target.shape, found.shape) == ((8,), (8,), (8,))
    assert (found.target.least, found.target.most, found.target.spread) == (0.0, 7.0, pytest.approx(2.2913, rel=1e-3))
    assert (found.low, found.high, found.outside) == (0.0, 1.0, 0.75)
    assert 0 < found.output.least < found.output.most < 1
    assert found.source is not None and "mse_loss" in found.source.code


@pytest.mark.parametrize(
    ("layer", "low", "high"),
    [
        (nn.Tanh(), -1.0, 1.0),
        (nn.ReLU(), 0.0, math.inf),
        (nn.Hardtanh(-2.0, 3.0), -2.0, 3.0),
        (nn.LogSigmoid(), -math.inf, 0.0),
        (nn.GELU(), -math.inf, math.inf),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_the_range_of_the_last_activation(layer: nn.Module, low: float, high: float) -> None:
    (found,) = seen(written(lambda o, t: (o.squeeze(-1) - t).abs().mean()), layer)
    assert (found.low, found.high) == (low, high)
    assert (found.outside is None) == math.isinf(low - high) or math.isfinite(max(low, -high))


@pytest.mark.parametrize(
    ("use", "averaged"),
    [
        (lambda o, t: ((o - t) ** 2).mean(), True),
        (lambda o, t: (t - o).pow(2).sum(1).mean(), True),
        (lambda o, t: torch.where((o - t).abs() < 1, 0.5 * (o - t) ** 2, (o - t).abs()).mean(), True),
        (lambda o, t: F.mse_loss(o, t), True),
        (lambda o, t: F.l1_loss(o, t, reduction="none").mean(), True),
        (lambda o, t: (o - t).abs().min(1).values.mean(), False),  # the nearest
        (lambda o, t: torch.exp(-((o - t) ** 2)).mean(), False),  # a kernel
        (lambda o, t: ((o - t) ** 2 * torch.eye(8)).mean(), False),  # a mask over pairs
        (lambda o, t: torch.diagonal((o - t) ** 2).mean(), False),
    ],
    ids=["square", "rows", "huber", "mse", "l1", "nearest", "kernel", "mask", "diagonal"],
)
def test_what_becomes_of_it(use: Callable[[Tensor, Tensor], Tensor], averaged: bool) -> None:
    found = seen(written(use))
    assert all(c.broadcasts for c in found)
    assert any(c.averaged for c in found) is averaged


def test_a_clamp_cuts_off_what_lies_beyond_it() -> None:
    (found,) = seen(written(lambda o, t: ((o[:, 0] - 100 * (t + 1)).clamp(-150, 150) ** 2).mean()))
    assert found.clipped == pytest.approx(7 / 8)


def test_what_the_model_computes_inside_or_compares_with_itself_is_not_seen() -> None:
    assert seen(written(lambda o, t: (o[:, 0][:, None] - o[:, 0][None, :]).abs().mean())) == ()
    assert seen(written(lambda o, t: (1 - o).abs().mean())) == ()


class Own(nn.Module):
    """Computes a difference inside."""

    def forward(self, x: Tensor) -> Tensor:
        return x - Y


def test_the_code_of_a_module_is_no_loss() -> None:
    assert seen(written(lambda o, t: o.mean()), Own()) == ()
