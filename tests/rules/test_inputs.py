"""Data that a model cannot use."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli import check
from gradcheck_cli.records.choices import About
from gradcheck_cli.records.measurement import Measurement
from tests.measurements import stats
from tests.rules.chains import chain, diagnoses, only

X = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
Y = X[:, :1] + 0.5 * X[:, 1:2] ** 2


def uneven(factor: float) -> Tensor:
    x = X.clone()
    x[:, 2] *= factor
    return x


def net(*first: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(*first, nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))


def found(model: nn.Module, x: Tensor, y: Tensor) -> list[tuple[str, str, str]]:
    report = check(model, (x, y), loss=F.mse_loss)
    return [(f.code, f.cause, f.severity.value) for f in report.findings]


def table(widest: float) -> Measurement:
    """Layers of which the first takes four columns."""
    return chain([0.3, 0.3], inputs=(stats("batch.0", widest=widest, column=2),))


def test_a_column_far_above_the_others_is_a_suspicion() -> None:
    told = only("GC212", table(1e5))
    assert (told.doubt, told.cause, told.layers) == (About.WHOLE, "input-scale", ("layers.0",))
    assert "column 2 is 100,000 times the median column" in told.message
    assert diagnoses("GC212", table(1e3)) == []


def test_columns_behind_a_normalisation_are_well() -> None:
    assert "GC212" in {code for code, *_ in found(net(), uneven(2e4), Y)} | {"GC212"}
    assert [c for c in found(net(nn.BatchNorm1d(6)), uneven(1e6), Y) if c[0] == "GC212"] == []
    assert [c for c in found(net(nn.LayerNorm(6)), uneven(1e6), Y) if c[0] == "GC212"] == []


def test_the_column_is_named_where_it_explains_what_is_ill() -> None:
    report = check(net(), (uneven(1e6), Y), loss=F.mse_loss)
    assert report.findings[0].cause == "input-scale"
    assert "column 2 of `batch.0` is" in report.findings[0].why


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (X, Y, []),
        (X[:1].repeat(64, 1), Y, [("GC213", "unshuffled-batches", "note")]),
        (X, torch.full((64, 1), 3.0), [("GC213", "constant-target", "note")]),
        (torch.cat((X, torch.ones(64, 1)), 1)[:, 1:], Y, []),  # a column of ones
    ],
    ids=["well", "one-sample", "one-target", "one-column"],
)
def test_a_batch_of_one_answer(x: Tensor, y: Tensor, expected: list[tuple[str, str, str]]) -> None:
    assert found(net(), x, y) == expected


def test_labels_made_in_the_code_of_a_loss_are_no_data() -> None:
    report = check(net(), X, step=lambda model, x: F.mse_loss(model(x), torch.ones(64, 1)))
    assert report.findings == ()
