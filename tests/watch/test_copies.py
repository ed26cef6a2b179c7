"""Rows of a weight that are copies of each other, and rows that only look alike."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.watch.copies import MOST, doubled, still


def weight(rows: Tensor, slopes: Tensor) -> nn.Parameter:
    made = nn.Parameter(rows.clone())
    made.grad = slopes.clone()
    return made


def shares(*parameters: nn.Parameter) -> list[float]:
    return [each.share for each in doubled(parameters)]


RANDOM = torch.randn(8, 5, generator=torch.Generator().manual_seed(1))
HALF = torch.cat((RANDOM[:4], torch.zeros(4, 5)))
TWO = RANDOM[:2].repeat(4, 1)


def test_rows_that_are_two_in_truth_are_told_with_their_share() -> None:
    assert shares(weight(TWO, TWO)) == [0.75]
    assert shares(weight(torch.ones(8, 5), torch.ones(8, 5))) == [0.875]


@pytest.mark.parametrize(
    "parameter",
    [
        pytest.param(weight(RANDOM, RANDOM), id="distinct"),
        pytest.param(weight(TWO, RANDOM), id="they part with this update"),
        pytest.param(weight(torch.zeros(8, 5), torch.zeros(8, 5)), id="pruned"),
        pytest.param(weight(HALF, HALF), id="half pruned"),
        pytest.param(weight(torch.ones(8), torch.ones(8)), id="a bias"),
        pytest.param(weight(torch.ones(1, 8), torch.ones(1, 8)), id="one unit"),
        pytest.param(weight(torch.ones(2, MOST), torch.ones(2, MOST)), id="too large to look at"),
    ],
)
def test_what_looks_like_copies_is_none(parameter: nn.Parameter) -> None:
    assert shares(parameter) == []


def test_a_parameter_without_a_gradient_is_passed_over() -> None:
    assert shares(nn.Parameter(torch.ones(4, 4))) == []


def test_they_have_to_be_copies_after_the_update_as_well() -> None:
    parameter = weight(TWO, TWO)
    (found,) = doubled([parameter])
    with torch.no_grad():
        parameter -= 0.1 * TWO
    assert still([found]) == [found]
    with torch.no_grad():
        parameter += 0.1 * RANDOM
    assert still([found]) == []


def test_no_two_rows_of_a_wide_net_are_alike() -> None:
    layer = nn.Linear(64, 512)
    layer(torch.randn(4, 64)).square().sum().backward()
    assert shares(layer.weight) == []
