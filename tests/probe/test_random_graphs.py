"""The ledger's identity and the gradients, over random architectures."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.probe.comparing import Built, assert_as_plain
from tests.sweeping import drawn

Piece = Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Piece] = {
    "relu": F.relu,
    "relu in place": lambda x: F.relu(x.clone(), inplace=True),
    "sigmoid": torch.sigmoid,
    "tanh": Tensor.tanh,
    "gelu": F.gelu,
    "silu": F.silu,
    "leaky": F.leaky_relu,
    "elu": F.elu,
    "softplus": F.softplus,
    "softmax": lambda x: x.softmax(-1),
    "sine": torch.sin,
    "none": lambda x: x,
}
SHAPES: dict[str, Piece] = {
    "split and cat": lambda x: torch.cat(x.chunk(2, dim=-1)[::-1], dim=-1),
    "view": lambda x: x.view(x.shape[0], 2, -1).transpose(1, 2).reshape(x.shape),
    "expand": lambda x: (x.unsqueeze(1).expand(-1, 3, -1) * 0.5).sum(1),
    "flip": lambda x: x.flip(-1),
    "index": lambda x: x[:, torch.arange(x.shape[1] - 1, -1, -1)],
    "write in place": lambda x: x.clone().mul_(1.5).add_(0.1),
    "slice and pad": lambda x: F.pad(x[:, 1:], (1, 0)),
    "none": lambda x: x,
}
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "mse sum": lambda y, t: F.mse_loss(y, t, reduction="sum"),
    "cross entropy": lambda y, t: F.cross_entropy(y, t.argmax(-1)),
    "smooth l1": F.smooth_l1_loss,
    "bce": lambda y, t: F.binary_cross_entropy_with_logits(y, t.sigmoid()),
    "logsumexp": lambda y, t: (y - t).logsumexp(-1).mean(),
    "sum": lambda y, t: y.sum(),
}


@dataclass(frozen=True)
class BlockPlan:
    activation: str
    shape: str
    norm: bool
    dropout: bool
    join: str  # "plain", "residual", "cancel", "gate"
    shared: bool
    bias: bool


@dataclass(frozen=True)
class Plan:
    width: int
    blocks: tuple[BlockPlan, ...]
    loss: str
    samples: int
    seed: int


class Block(nn.Module):
    def __init__(self, width: int, plan: BlockPlan, shared: nn.Linear) -> None:
        super().__init__()
        self.plan = plan
        self.linear = shared if plan.shared else nn.Linear(width, width, bias=plan.bias)
        self.norm = nn.LayerNorm(width) if plan.norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = ACTIVATIONS[self.plan.activation](self.linear(self.norm(x)))
        y = SHAPES[self.plan.shape](y)
        y = F.dropout(y, 0.3, training=self.plan.dropout)
        if self.plan.join == "residual":
            return x + y
        if self.plan.join == "cancel":
            return y + x - 0.9 * x
        return x.sigmoid() * y if self.plan.join == "gate" else y


class Net(nn.Module):
    def __init__(self, plan: Plan) -> None:
        super().__init__()
        shared = nn.Linear(plan.width, plan.width)
        self.blocks = nn.ModuleList(Block(plan.width, block, shared) for block in plan.blocks)
        self.head = nn.Linear(plan.width, 4)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def net(plan: Plan) -> Built:
    torch.manual_seed(plan.seed)
    batch = torch.randn(plan.samples, plan.width), torch.randn(plan.samples, 4)
    return Net(plan), batch, lambda model, b: LOSSES[plan.loss](model(b[0]), b[1])


def plans() -> st.SearchStrategy[Plan]:
    block = st.builds(
        BlockPlan,
        activation=st.sampled_from(sorted(ACTIVATIONS)),
        shape=st.sampled_from(sorted(SHAPES)),
        norm=st.booleans(),
        dropout=st.booleans(),
        join=st.sampled_from(["plain", "residual", "cancel", "gate"]),
        shared=st.booleans(),
        bias=st.booleans(),
    )
    return st.builds(
        Plan,
        width=st.sampled_from([2, 4, 6, 16]),
        blocks=st.lists(block, min_size=0, max_size=8).map(tuple),
        loss=st.sampled_from(sorted(LOSSES)),
        samples=st.integers(1, 9),
        seed=st.integers(0, 2**16),
    )


@pytest.mark.parametrize("examples", [80, pytest.param(250, marks=pytest.mark.sweep)])
def test_any_architecture(examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
        database=None,
    )
    @given(plans())
    def is_as_plain(plan: Plan) -> None:
        assert_as_plain(lambda: net(plan), seed=plan.seed)

    is_as_plain()


# --------------------------------------------------------------------------- graphs that are no chain


class Tangle(nn.Module):
    """A random directed graph: every new value is made of two earlier ones, and any value may reach the loss."""

    def __init__(self, choices: tuple[tuple[str, int, int], ...], weights: int) -> None:
        super().__init__()
        self.choices = choices
        self.weights = nn.ParameterList(torch.randn(5, 5) * 0.4 for _ in range(weights))

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for number, (join, left, right) in enumerate(self.choices):
            a, b = values[left % len(values)], values[right % len(values)]
            values.append(JOINS[join](a, b, self.weights[number % len(self.weights)]))
        return sum(value.tanh().mean() for value in values[1::2]) + values[-1].sum()


JOINS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "matmul": lambda a, b, w: a @ w,
    "transposed": lambda a, b, w: a @ w.T,
    "add": lambda a, b, w: a @ w + b,
    "subtract itself": lambda a, b, w: (a @ w) - 0.99 * (a @ w) + b,
    "cancel": lambda a, b, w: (s := (a @ w).sin()) - s + b @ w,
    "multiply": lambda a, b, w: a.tanh() * (b @ w),
    "rows": lambda a, b, w: a * w[0] + b * w[:, 1],
    "halves": lambda a, b, w: torch.cat([(a @ w)[:, :2], b[:, 2:]], dim=1),
    "stack": lambda a, b, w: torch.stack([a @ w, b, a]).mean(0),
    "where": lambda a, b, w: torch.where(a > 0, b @ w, a),
    "unbind": lambda a, b, w: torch.stack((a @ w).unbind(1)[::-1], 1) + b,
    "scaled": lambda a, b, w: torch.add(a @ w, b, alpha=0.3),
    "broadcast": lambda a, b, w: a @ w + b.mean(0),
}


@drawn(
    50,
    150,
    st.lists(
        st.tuples(st.sampled_from(sorted(JOINS)), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=14
    ),
    st.integers(1, 4),
    st.integers(0, 2**16),
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
def test_any_tangle(choices: list[tuple[str, int, int]], weights: int, seed: int) -> None:
    def build() -> Built:
        torch.manual_seed(seed)
        return Tangle(tuple(choices), weights), torch.randn(7, 5), lambda model, x: model(x)

    assert_as_plain(build, seed=seed)
