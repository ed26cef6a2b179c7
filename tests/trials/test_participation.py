"""Parts that open by training, and parts that stay shut."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradcheck_cli.trials.participation import Opening, OpeningUnknown, opening
from gradcheck_cli.trials.training import PLAIN
from tests.trials.contexts import bench_of, finding, step_of

X = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))
BATCH = X, X.sin()


class Gated(nn.Module):
    """A trunk, and a branch behind a gate: one that learns, or a constant."""

    def __init__(self, gate: float, learns: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk, self.branch, self.head = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 8)
        self.gate = nn.Parameter(torch.tensor(gate), requires_grad=learns)

    def forward(self, x: Tensor) -> Tensor:
        h = self.trunk(x).tanh()
        return self.head(h + self.gate * self.branch(h).tanh())


def opened(model: nn.Module, recipe: int, loss: object = "mse_loss", **fields: object) -> Opening | None:
    fields = {"layers": ("branch",)} | fields
    return opening(bench_of(step_of(model, BATCH, loss), keeps=True), finding(**fields), PLAIN[recipe])


def test_a_gate_that_learns_opens_its_branch() -> None:
    found = opened(Gated(1e-5, learns=True), 0)
    assert found is not None and found.opens and found.behind < 2
    assert found.told.startswith("100 steps of Adam(0.001) move its weights by ")
    assert found.told.endswith("decades below theirs")


def test_a_constant_keeps_it_shut() -> None:
    found = opened(Gated(1e-12, learns=False), 1)
    assert found is not None and not found.opens and found.moves
    assert found.behind > 10 and found.moved < 1e-9 < found.peers


def test_a_branch_without_a_gradient_is_shut() -> None:
    found = opened(Gated(0.0, learns=False), 0)
    assert found is not None and not found.opens
    assert (found.behind, found.moved) == (math.inf, 0.0)
    assert found.told.endswith("and its gradient over its weights is then 0")


def test_numbers_are_those_of_training_written_out() -> None:
    model, copy = Gated(0.0, learns=False), Gated(0.0, learns=False)
    found = opened(model, 1)
    optimizer = torch.optim.SGD([p for p in copy.parameters() if p.requires_grad], lr=0.01, momentum=0.9)
    for _ in range(100):
        optimizer.zero_grad()
        F.mse_loss(copy(BATCH[0]), BATCH[1]).backward()
        optimizer.step()

    def moved(name: str) -> float:
        was, now = (torch.cat([p.detach().flatten() for p in getattr(m, name).parameters()]) for m in (model, copy))
        return float((now - was).norm() / was.norm())

    assert found is not None
    assert found.peers == pytest.approx((moved("trunk") + moved("head")) / 2, rel=1e-4)


@pytest.mark.parametrize(
    ("behind", "moved", "peers", "opens"),
    [
        (2.0, 0.0, 0.1, True),
        (2.1, 0.0, 0.1, False),
        (math.inf, 0.034, 0.1, True),
        (math.inf, 0.033, 0.1, False),
        (math.inf, 0.11, 1700.0, True),  # peers that start at next to 0
        (math.inf, 0.09, 1700.0, False),
        (math.inf, 1e-5, 1e-5, False),
    ],
)
def test_what_opens_has_a_gradient_or_moves_as_its_peers_do(
    behind: float, moved: float, peers: float, opens: bool
) -> None:
    assert Opening(recipe=PLAIN[0], start=6.0, behind=behind, moved=moved, peers=peers).opens is opens


@pytest.mark.parametrize(("behind", "opening"), [(3.9, True), (4.1, False), (math.inf, False)])
def test_what_comes_nearer_by_two_decades_is_on_its_way(behind: float, opening: bool) -> None:
    assert Opening(recipe=PLAIN[0], start=6.0, behind=behind, moved=0.0, peers=0.1).is_opening is opening


@pytest.mark.parametrize(
    ("layers", "gate", "why"),
    [
        (("elsewhere",), 0.0, "no layer of it is trained"),
        (("trunk", "branch", "head"), 0.0, "no layer beside it is trained"),
        (("branch",), 1.0, "its gradient over its weights is like the others' from the start"),
    ],
)
def test_where_training_cannot_tell_nothing_is_trained(layers: tuple[str, ...], gate: float, why: str) -> None:
    bench = bench_of(step_of(Gated(gate, learns=False), BATCH), passes=0, keeps=True)
    with pytest.raises(OpeningUnknown, match=why):
        opening(bench, finding(layers=layers), PLAIN[0])


def test_training_that_does_not_stay_finite_tells_nothing() -> None:
    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return (1e6 * F.mse_loss(model(batch[0]), batch[1])).square()

    assert opened(Gated(0.0, learns=False), 1, loss) is None
