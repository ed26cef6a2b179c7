"""Which parameters are as they were initialised, and what a graph reaches."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.watch.loop.holdings import in_plain_containers, is_fresh, nodes_below

FRESH: list[Callable[[], Tensor]] = [
    lambda: nn.Linear(64, 64).weight,
    lambda: nn.Conv2d(8, 16, 3).weight,
    lambda: nn.init.xavier_uniform_(torch.empty(32, 16)),
    lambda: nn.init.kaiming_uniform_(torch.empty(300, 50)),
    lambda: nn.Embedding(500, 32).weight,
    lambda: nn.LayerNorm(16).weight,
    lambda: torch.zeros(1),
]


@pytest.mark.parametrize("made", FRESH)
def test_what_was_just_initialised_is_fresh(made: Callable[[], Tensor]) -> None:
    for seed in range(20):
        torch.manual_seed(seed)
        assert is_fresh(made())


def trained(model: nn.Module, inputs: Tensor, targets: Tensor) -> nn.Module:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs), targets).backward()
        optimizer.step()
    return model


def test_what_was_trained_is_not() -> None:
    for seed in range(5):
        torch.manual_seed(seed)
        x = torch.randn(256, 8)
        model = trained(
            nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)),
            x,
            x[:, :1].sin(),
        )
        assert not any(is_fresh(p) for p in model.parameters() if p.numel() >= 64)


def test_a_scalar_that_is_neither_0_nor_1_says_nothing() -> None:
    assert not is_fresh(torch.tensor([0.3]))
    assert not is_fresh(torch.empty(0))


def test_every_node_of_a_graph_once() -> None:
    w = nn.Parameter(torch.ones(2))
    hidden = w * 2
    leaves = [node.variable for node in nodes_below([(hidden * hidden).sum(), None]) if hasattr(node, "variable")]
    assert len(leaves) == 1 and leaves[0] is w


def test_layers_in_a_plain_list_are_found_and_registered_ones_are_not() -> None:
    class Tables(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tables = [nn.Embedding(3, 1), nn.Embedding(2, 1)]
            self.by_name = {"scale": nn.Parameter(torch.ones(1))}
            self.head = nn.Linear(2, 1)
            self.layers = nn.ModuleList([nn.Linear(1, 1)])

    model = Tables()
    wanted = [*(table.weight for table in model.tables), model.by_name["scale"]]
    assert [id(p) for p in in_plain_containers(model)] == [id(p) for p in wanted]
