"""What torch.nn.init has filled is known for as long as nothing else is written there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from gradcheck_cli.watch.loop.initialised import InitialisedParameters


@pytest.fixture
def drawn() -> Iterator[InitialisedParameters]:
    made = InitialisedParameters(lambda: True, nullcontext())
    undo = made.install()
    yield made
    for each in undo:
        each()


def test_what_was_drawn_is_known(drawn: InitialisedParameters) -> None:
    layer = nn.Conv2d(3, 4, 3)
    assert drawn.as_drawn(layer.weight)
    nn.init.orthogonal_(layer.weight)
    nn.init.trunc_normal_(layer.bias)  # type: ignore[arg-type]
    assert drawn.as_drawn(layer.weight)
    assert drawn.as_drawn(layer.bias)  # type: ignore[arg-type]


def test_what_was_loaded_since_is_not(drawn: InitialisedParameters) -> None:
    layer = nn.Linear(8, 8)
    layer.load_state_dict({"weight": torch.randn(8, 8), "bias": torch.zeros(8)})
    assert not drawn.as_drawn(layer.weight)
    nn.init.normal_(layer.weight)
    layer.weight.data.copy_(torch.randn(8, 8))
    assert not drawn.as_drawn(layer.weight)


def test_what_is_no_parameter_is_not_kept(drawn: InitialisedParameters) -> None:
    plain = nn.init.normal_(torch.empty(4, 4))
    assert not drawn.as_drawn(plain)
    nn.init.normal_(nn.Parameter(torch.empty(4, 4)))
    assert drawn._noted == {}
    with torch.device("meta"):
        assert not drawn.as_drawn(nn.Linear(4, 4).weight)


def test_it_leaves_no_trace_in_what_is_drawn() -> None:
    torch.manual_seed(5)
    bare = nn.Linear(4, 4).weight
    made = InitialisedParameters(lambda: True, nullcontext())
    undo = made.install()
    torch.manual_seed(5)
    seen = nn.Linear(4, 4).weight
    for each in undo:
        each()
    assert torch.equal(bare, seen)
    assert nn.init.normal_.__module__ == "torch.nn.init"
    assert made._noted
