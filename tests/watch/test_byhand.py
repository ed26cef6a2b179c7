"""Updates that no optimiser makes are seen by the values."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gradcheck_cli.watch.byhand import ByHand


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.complex64])
def test_a_write_to_data_is_seen_once(dtype: torch.dtype) -> None:
    weight = torch.ones(3, 4, dtype=dtype, requires_grad=True)
    by_hand = ByHand()
    assert not by_hand.moved([weight])
    assert not by_hand.moved([weight])
    version = weight._version
    weight.data -= 0.125
    assert weight._version == version
    assert by_hand.moved([weight])
    assert not by_hand.moved([weight])


def changed(weight: Tensor, by: str) -> None:
    if by == "sign":
        weight.data.neg_()
    elif by == "one element":
        weight.data[1, 2] += 1e-6
    elif by == "sum kept":
        weight.data[0, 0] += 0.5
        weight.data[0, 1] -= 0.5
    else:
        weight.data *= 1 + 1e-6


@pytest.mark.parametrize("by", ["sign", "one element", "sum kept", "scale"])
def test_small_and_symmetric_changes_are_seen(by: str) -> None:
    weight = torch.arange(12.0).reshape(3, 4).div_(7).requires_grad_()
    by_hand = ByHand()
    by_hand.moved([weight])
    changed(weight, by)
    assert by_hand.moved([weight])


def test_one_of_several_is_enough_and_new_ones_have_not_moved() -> None:
    one, two = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    by_hand = ByHand()
    assert not by_hand.moved([one])
    assert not by_hand.moved([one, two])
    two.data += 1
    assert by_hand.moved([one, two])


def test_values_that_are_not_finite_have_moved_and_nothing_is_raised() -> None:
    weight = torch.ones(2, requires_grad=True)
    by_hand = ByHand()
    by_hand.moved([weight])
    weight.data[0] = math.inf
    assert by_hand.moved([weight])
    empty = torch.zeros(0, requires_grad=True)
    assert not by_hand.moved([empty]) and not by_hand.moved([empty])


def test_no_parameters_do_not_move() -> None:
    assert not ByHand().moved([])
