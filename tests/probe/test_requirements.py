"""What must hold before a gradient can be measured."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradcheck_cli.errors import ProbeError
from gradcheck_cli.probe.requirements import require_parameters, statistics_never_taken


def test_one_parameter_that_requires_a_gradient_is_enough() -> None:
    model = nn.Sequential(nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 2))
    assert require_parameters(model) is None


@pytest.mark.parametrize(
    ("model", "told", "hint"),
    [
        (nn.ReLU(), "has no parameters", "nn.Parameter"),
        (nn.Sequential(), "has no parameters", "nn.Parameter"),
        (nn.Linear(2, 2).requires_grad_(False), "no parameter of the model requires", "requires_grad_(True)"),
    ],
)
def test_a_model_that_can_get_no_gradient_is_refused(model: nn.Module, told: str, hint: str) -> None:
    with pytest.raises(ProbeError, match=told) as error:
        require_parameters(model)
    assert hint in error.value.hint


def seen(norm: nn.BatchNorm1d) -> nn.BatchNorm1d:
    with torch.no_grad():
        norm(torch.randn(4, 2))
    return norm


@pytest.mark.parametrize(
    ("model", "never"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).eval(), True),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), False),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).eval()), False),
        (nn.Sequential(nn.Linear(2, 2), seen(nn.BatchNorm1d(2))).eval(), False),
        (nn.Sequential(seen(nn.BatchNorm1d(2)), nn.BatchNorm1d(2)).eval(), True),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False)).eval(), False),
        (nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)).eval(), False),
        (nn.BatchNorm2d(2).eval(), True),
    ],
)
def test_statistics_are_missed_in_a_model_that_is_in_eval_mode_as_a_whole(model: nn.Module, never: bool) -> None:
    assert statistics_never_taken(model) is never
