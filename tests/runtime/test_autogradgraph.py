"""The autograd graph under a loss, and the gradient that arrives at each of its nodes and leaves it."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from gradcheck_cli.records.ops import LEAF
from gradcheck_cli.runtime.autogradgraph import Graph
from gradcheck_cli.runtime.norms import norm

Settled = tuple[Graph, dict[str, float], dict[tuple[str, str], float]]


def measured(loss: Tensor) -> Settled:
    """The graph, the total of each node and the contribution of each edge, by the names of nodes."""
    graph = Graph(loss.grad_fn)
    leaves = graph.leaves()
    graph.watch({})
    loss.backward()
    for index, leaf in leaves.items():
        graph.arrived_at_leaf(index, norm(leaf.grad) if leaf.grad is not None else 0.0)
    totals, edges = graph.settled()
    contributions = {
        (graph.names[index], graph.names[to]): sent for index, found in enumerate(edges) for to, sent in found
    }
    return graph, dict(zip(graph.names, totals, strict=True)), contributions


def test_a_chain_in_closed_form() -> None:
    x = torch.tensor([3.0, 4.0], requires_grad=True)
    _, totals, sent = measured((x * 2).square().sum())
    assert totals == pytest.approx(
        {"SumBackward0": 1.0, "PowBackward0": math.sqrt(2), "MulBackward0": 2 * 10.0, LEAF: 4 * 10.0}
    )
    assert sent[("PowBackward0", "MulBackward0")] == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("branches", "total"),
    [
        (lambda x: x.tanh() + x.sin(), 2.0),  # they add up, since both slopes are 1 at 0
        (lambda x: x.tanh() - x.sin(), 0.0),  # they cancel
    ],
)
def test_where_branches_merge_each_contribution_and_their_sum_are_kept(
    branches: Callable[[Tensor], Tensor], total: float
) -> None:
    x = torch.zeros(1, requires_grad=True)
    _, totals, sent = measured(branches(x.exp() - 1).sum())
    assert totals["SubBackward0"] == pytest.approx(total)
    assert [sent[(name, "SubBackward0")] for name in ("TanhBackward0", "SinBackward0")] == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(
    "passing",
    [
        lambda x: x.t(),
        lambda x: x.view(4),
        lambda x: x.unsqueeze(0).squeeze(0),
        lambda x: x + torch.ones(2, 2),
        lambda x: x[1],
        lambda x: x + torch.ones(3, 2, 2),  # broadcast: the norm does not stay
        lambda x: torch.add(torch.ones(2, 2), x, alpha=3),
        lambda x: x.expand(5, 2, 2),
    ],
    ids=["t", "view", "squeeze", "add", "select", "broadcast", "alpha", "expand"],
)
def test_what_hands_its_gradient_on_is_measured_as_what_does_not(passing: Callable[[Tensor], Tensor]) -> None:
    """Held against retained gradients of the values in between."""
    x = torch.randn(2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    inner = x.exp()
    inner.retain_grad()
    outer = passing(inner)
    outer.retain_grad()
    graph, totals, sent = measured(outer.sin().sum())
    assert outer.grad is not None and inner.grad is not None and x.grad is not None
    assert totals["ExpBackward0"] == pytest.approx(float(inner.grad.norm()), rel=1e-5)
    assert totals[LEAF] == pytest.approx(float(x.grad.norm()), rel=1e-5)
    above = [(name, norm) for (name, to), norm in sent.items() if to == "ExpBackward0"]
    assert above[0][1] == pytest.approx(float(inner.grad.norm()), rel=1e-5)
    assert graph.names[0] == "SumBackward0"


def test_each_node_stands_before_those_it_sends_to_and_counts_once() -> None:
    x = torch.randn(3, requires_grad=True)
    y = x.exp()
    loss = (y * y.sin() + y.cos() * x).sum()
    graph = Graph(loss.grad_fn)
    assert len(set(graph.nodes)) == len(graph.nodes)
    assert all(child > index for index, children in enumerate(graph.children) for _, child in children)
    arriving = [child for children in graph.children for _, child in children]
    assert graph.parents == [arriving.count(index) for index in range(len(graph.nodes))]
    assert [leaf is x for leaf in graph.leaves().values()] == [True]


def test_custom_functions_and_leaves_are_called_by_their_plain_names() -> None:
    class Mine(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx, gradient: Tensor) -> Tensor:
            return 2 * gradient

    x = torch.ones(3, requires_grad=True)
    graph, totals, _ = measured(Mine.apply(x).sum())
    assert graph.names == ["SumBackward0", "MineBackward", LEAF]
    assert totals[LEAF] == pytest.approx(2 * math.sqrt(3))


def test_what_is_looked_at_before_a_node_runs_still_has_its_saved_tensors() -> None:
    x = torch.full((2,), 0.5, requires_grad=True)
    loss = x.tanh().sum()
    graph, seen = Graph(loss.grad_fn), list[Tensor]()
    index = graph.names.index("TanhBackward0")
    graph.watch({index: lambda: seen.append(graph.nodes[index]._saved_result.clone())})
    loss.backward()
    assert torch.equal(seen[0], torch.tanh(x.detach()))


class Token:
    """Something that a node holds."""


class Holds(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, token: Token) -> Tensor:
        ctx.token = token
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def test_a_graph_that_is_released_keeps_no_node_alive() -> None:
    x, token = torch.ones(1, requires_grad=True), Token()
    held = weakref.ref(token)
    graph = Graph(Holds.apply(x, token).sum().grad_fn)
    del token
    graph.watch({})
    assert held() is not None
    graph.release()
    assert held() is None
