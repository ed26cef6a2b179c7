"""Dropout that is left out of a pass."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli.watch.withoutdropout import Undropped, drops


@pytest.mark.parametrize(
    "made",
    [
        nn.Dropout(0.9),
        nn.Dropout(0.9, inplace=True),
        nn.Dropout2d(0.9),
        nn.AlphaDropout(0.9),
        lambda x: F.dropout(x, 0.9),
        lambda x: torch.dropout(x, 0.9, True),
        lambda x: F.dropout(x, p=0.9, training=True),
    ],
)
def test_dropout_leaves_all_as_it_is(made: nn.Module) -> None:
    x = torch.randn(3, 4, 5, 5)
    before = x.clone()
    with Undropped():
        assert torch.equal(made(x), before)
    assert not torch.equal(made(x), before)


def test_what_is_off_or_no_dropout_is_none() -> None:
    x = torch.ones(2)
    assert drops(F.dropout, (x,), {})
    assert not drops(F.dropout, (x, 0.0), {})
    assert not drops(F.dropout, (x, 0.5, False), {})
    assert not drops(torch.relu, (x,), {})
    with Undropped():
        assert torch.equal(F.dropout(x, 0.9, False), x)
        assert torch.equal(torch.relu(-x), torch.zeros(2))


def test_a_gradient_goes_through() -> None:
    x = torch.ones(4, requires_grad=True)
    with Undropped():
        made: Tensor = F.dropout(x * 2, 0.9)
    made.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [2.0] * 4
