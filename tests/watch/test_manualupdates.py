"""Updates that no optimiser makes are seen by the values."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.watch.manualupdates import ByHand
from tests.watch.watching import watching


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


def test_updates_by_hand_that_are_too_large_are_sampled_as_any_other(tmp_path: Path) -> None:
    """w <- w - 0.1 * 2 w: a fifth at each; the loss of the same batch falls by 1 - 0.8^2."""
    weight = nn.Linear(1, 1, bias=False)
    with watching(tmp_path, first=False, budget=1e-9) as watched:
        for _ in range(20):
            loss = weight(torch.ones(2, 1)).square().mean()
            loss.backward()
            for p in weight.parameters():
                p.data -= 0.1 * p.grad  # type: ignore[operator]
                p.grad = None
    samples = {sample.step: sample for sample in watched.process.samples}
    assert list(samples) == [1, 8, 16]
    assert [sample.update for sample in samples.values()] == pytest.approx([0.2] * 3)
    assert samples[16].descent == pytest.approx(0.36)
    assert not watched.process.raised
