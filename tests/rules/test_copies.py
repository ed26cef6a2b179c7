"""Units of a layer that are one and the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli import check
from gradcheck_cli.records.choices import Severity
from tests.rules.chains import codes

X = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long() + (X[:, 1] > 0).long()


def net(*, hidden: float | None = None, head: float | None = None, drop: float = 0.0) -> nn.Sequential:
    """A net whose hidden layer, or head, starts with one number in every weight."""
    torch.manual_seed(1)
    layers = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(drop), nn.Linear(16, 3))
    for layer, value in ((layers[0], hidden), (layers[3], head)):
        if value is not None:
            nn.init.constant_(layer.weight, value)
            nn.init.zeros_(layer.bias)
    return layers


def found(model: nn.Module) -> list[tuple[str, str, tuple[str, ...], Severity]]:
    report = check(model, (X, Y), loss=F.cross_entropy)
    return [(f.code, f.cause, f.layers, f.severity) for f in report.findings if f.code == "GC218"]


def test_layers_of_one_constant_are_as_good_as_one_unit() -> None:
    assert found(net(hidden=0.1, head=0.1)) == [("GC218", "symmetric-init", ("0",), Severity.ERROR)]


@pytest.mark.parametrize(
    "model",
    [
        net(),
        net(head=0.0),  # its rows part at the first step: each class has its own gradient
        net(hidden=0.1),  # the layer above reads its units differently
        net(hidden=0.1, head=0.1, drop=0.5),  # so does the mask
    ],
    ids=["random", "head-of-zeros", "constant-below-random", "dropout"],
)
def test_units_that_part_at_the_first_step_are_well(model: nn.Module) -> None:
    assert found(model) == []


def test_one_unit_is_no_copy() -> None:
    layer = nn.Linear(6, 1)
    nn.init.constant_(layer.weight, 0.1)

    def loss(output: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(output.squeeze(1), target.float())

    assert "GC218" not in {f.code for f in check(layer, (X, Y), loss=loss).findings}


def test_nothing_is_said_of_what_was_not_measured_as_a_copy() -> None:
    from tests.rules.chains import chain

    assert "GC218" not in codes(chain([0.5, 0.5]))
