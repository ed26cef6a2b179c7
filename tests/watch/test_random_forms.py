"""Random steps: whatever is called between a batch and a loss, a step is repeated exactly."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gradcheck_cli.records.timeline import Replay
from gradcheck_cli.watch.draft import Draft
from tests.watch.running import Verifier, watched


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.sign()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g.clamp(-1, 1)


def in_place(x: Tensor) -> Tensor:
    x = x * 1
    x[:, 0] = x[:, 1] * 2
    x[:, 1:3].add_(1)
    return x


def into_a_new_one(x: Tensor) -> Tensor:
    made = torch.zeros(x.shape[0], 4)
    made[:, :2] = x[:, :2]
    made[:, 2:] += x[:, 2:].exp().clamp(max=3)
    return made


def penalised(x: Tensor) -> Tensor:
    given = x.detach().requires_grad_()
    slope = torch.autograd.grad(CRITIC(given).sum(), given, create_graph=True)[0]
    return x + slope


def without_gradient(x: Tensor) -> Tensor:
    with torch.no_grad():
        weight = TEACHER(x).softmax(1)
    return x * weight


CRITIC = nn.Sequential(nn.Linear(4, 4), nn.Softplus(), nn.Linear(4, 1))
TEACHER = nn.Linear(4, 4)
STEPS = {
    "module": lambda x: CRITIC[0](x),
    "norm": lambda x: NORM(x),
    "dropout": lambda x: nn.functional.dropout(x, 0.4),
    "noise": lambda x: x + torch.randn_like(x) * torch.rand(1),
    "straight": lambda x: Straight.apply(x),
    "in place": in_place,
    "new": into_a_new_one,
    "penalty": penalised,
    "no_grad": without_gradient,
    "detached": lambda x: x / (x.detach().norm() + 1),
    "numpy": lambda x: x * torch.from_numpy(x.detach().numpy()).abs(),
    "item": lambda x: x * (1 + abs(x.mean().item())),
    "split": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
    "autocast": lambda x: autocasted(x),
    "bernoulli": lambda x: x * torch.bernoulli(x.detach().sigmoid()),
    "stack": lambda x: torch.stack([x, x * 2, -x]).median(0).values,
    "parameter": lambda x: x + CRITIC[2].weight * 0.1,
}
NORM = nn.BatchNorm1d(4)
LOSSES = {
    "mean": lambda x: x.square().mean(),
    "entropy": lambda x: nn.functional.cross_entropy(x, torch.randint(0, 4, (x.shape[0],)), label_smoothing=0.1),
    "module": lambda x: nn.HuberLoss()(x, torch.randn_like(x)),
    "decay": lambda x: x.abs().sum() + sum(p.square().sum() for p in CRITIC.parameters()),
    "by hand": lambda x: sum(row.max() - row[0] for row in x) / len(x),
}


def autocasted(x: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = CRITIC[0](x) + CRITIC[0](-x)
    return y.float()


def assert_repeated(steps: list[str], losses: list[str], passes: int, noted: bool) -> None:
    torch.manual_seed(0)
    body, verifier = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2)), Verifier(1)
    for module in (CRITIC, NORM):
        module.zero_grad()
    held = [p for module in (body, CRITIC, NORM) for p in module.parameters()]
    with watched(verifier) as tape:
        for _ in range(passes):
            tape.draft = Draft(tape, lambda: held) if noted else None
            x = body(torch.randn(6, 3))
            for name in steps:
                x = STEPS[name](x)
            total = sum(LOSSES[name](x) for name in losses)
            total.backward()
            if tape.draft is not None:
                tape.draft.write_out()
    assert not verifier.failures
    assert len(verifier.replayed) == passes
    assert verifier.outcomes == {Replay.EXACT}, verifier.replayed


@pytest.mark.parametrize("examples", [25, pytest.param(80, marks=pytest.mark.sweep)])
def test_a_random_step_is_repeated_exactly(examples: int) -> None:
    drawn = given(
        st.lists(st.sampled_from(sorted(STEPS)), max_size=6),
        st.lists(st.sampled_from(sorted(LOSSES)), min_size=1, max_size=2),
        st.integers(1, 3),
        st.booleans(),
    )
    patient = settings(
        max_examples=examples, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
    )
    patient(drawn(assert_repeated))()
