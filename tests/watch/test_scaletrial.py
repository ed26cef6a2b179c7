"""Which loss scale fits: on gradients that can be written down."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.records.retrying import ScalesTried
from gradcheck_cli.watch.scaletrial import LossScales
from tests.watch.test_diagnosing import step_of


class Weighted(nn.Module):
    """Its gradient in float16 is the input, times the loss scale."""

    def __init__(self, of: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(of, dtype=torch.float16))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight.float() * x).sum()


def tried(*gradient: float, now: float = 1.0, growth: int | None = None) -> tuple[ScalesTried | None, int]:
    model, x = Weighted(len(gradient)), torch.tensor(gradient)
    step = step_of(model, lambda model, x, y: model(x), x, torch.zeros(1))
    scales = LossScales([step], list(model.parameters()))
    return scales.tried(now, growth), scales.passes


def test_what_is_flushed_is_counted_and_the_scale_that_keeps_it_has_headroom() -> None:
    """float16 ends at 65,504 and at 2^-24: 1 has room for 2^15, a quarter of which lifts 2^-30 to 2^-17."""
    found, passes = tried(1.0, 2.0**-30, 0.0, 0.0)
    assert found == ScalesTried(now=1.0, lost=0.25, fits=2.0**13, lost_then=0.0)
    assert 12 <= passes <= 14


def test_what_overflows_is_counted() -> None:
    found, _ = tried(1.0, 100.0, now=2.0**16, growth=3)
    assert found == ScalesTried(now=2.0**16, lost=1.0, fits=2.0**7, lost_then=0.0, growth=3)


def test_a_range_that_no_scale_covers_leaves_something_lost() -> None:
    """From 2^-24 to 2^15 there are 39 powers of two, and 41 lie between these."""
    found, _ = tried(2.0**8, 2.0**-33, 2.0**-20)
    assert found is not None and (found.lost, found.fits) == (pytest.approx(0.0), 2.0**5)


@pytest.mark.parametrize("bad", [math.inf, math.nan, 1e6])
def test_where_no_scale_helps_none_fits(bad: float) -> None:
    found, _ = tried(1.0, bad, now=2.0**4)
    assert found == ScalesTried(now=2.0**4, lost=0.5)


def test_gradients_that_are_zero_fit_the_largest() -> None:
    found, _ = tried(0.0, 0.0)
    assert found == ScalesTried(now=1.0, lost=0.0, fits=2.0**22, lost_then=0.0)
