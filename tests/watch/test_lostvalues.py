import math

import pytest
import torch
from torch import Tensor

from gradcheck_cli.watch.entries import Slot, TapeEntry
from gradcheck_cli.watch.lostvalues import behind, chain, is_lost


@pytest.mark.parametrize(
    ("values", "lost"),
    [([1.0, math.nan], True), ([1.0, -math.inf], False), ([math.inf], True), ([1.0], False), ([1.0, 2.0], False)],
)
def test_what_is_lost(values: list[float], lost: bool) -> None:
    assert is_lost(torch.tensor(values)) is lost


def slot_of(tensor: Tensor, *needs: Slot) -> Slot:
    slot = Slot(tensor)
    slot.entry, slot.learns = TapeEntry(), tensor.requires_grad
    slot.entry.needs = list(needs)
    return slot


def test_a_loss_is_found_behind_what_a_script_looks_at() -> None:
    loss = torch.tensor(math.nan, requires_grad=True)
    value = loss.detach()
    looked = value.isnan()
    assert behind([slot_of(looked, slot_of(value, slot_of(loss)))]) is loss
    fine = torch.tensor(1.0, requires_grad=True)
    assert behind([slot_of(looked, slot_of(value, slot_of(fine)))]) is None


def test_an_exception_with_those_that_it_came_from() -> None:
    first, second = ValueError("first"), KeyError("second")
    second.__cause__ = first
    assert list(chain(second)) == [second, first]
    assert list(chain(None)) == []
