"""A copy that is trained when the script has ended: on which batches, as by hand, and when it is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, Optimizer

from gradcheck_cli.records.shadow import Shadowed
from tests.watch.watching import watching


class Script:
    """A training script in plain PyTorch whose updates are too large, and the copy of it that is trained by hand."""

    steps, clipped, clears = 50, 0.0, True

    def __init__(self) -> None:
        torch.manual_seed(3)
        self.model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 1))
        self.optimizer = self.optimised()

    def optimised(self) -> Optimizer:
        return Adam(self.model.parameters(), lr=0.3)

    def batch(self) -> tuple[Tensor, Tensor]:
        x = torch.randn(16, 6)
        return x, x[:, :1] * x[:, 1:2]

    def backward(self, x: Tensor, y: Tensor) -> float:
        loss = nn.functional.mse_loss(self.model(x), y)
        loss.backward()
        if self.clipped:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clipped)
        return float(loss.detach())

    def train(self) -> list[float]:
        return [self.step() for _ in range(self.steps)]

    def step(self) -> float:
        x, y = self.batch()
        if self.clears:
            self.optimizer.zero_grad()
        loss = self.backward(x, y)
        self.optimizer.step()
        return loss

    def by_hand(self) -> list[float]:
        """The losses of a copy that learns at a tenth of the rate, on the batches and with the masks of the run."""
        drawn = []
        for _ in range(self.steps):  # the run as it is, for its batches and random states
            x, y = self.batch()
            drawn.append((x, y, torch.get_rng_state()))
            self.backward(x, y)
        for group in self.optimizer.param_groups:
            group["lr"] *= 0.1
        losses = []
        for x, y, state in drawn:
            torch.set_rng_state(state)
            self.optimizer.zero_grad()
            losses.append(self.backward(x, y))
            self.optimizer.step()
        return losses


class Clipped(Script):
    clipped = 0.5


class NeverCleared(Script):
    clears = False

    def optimised(self) -> Optimizer:
        return SGD(self.model.parameters(), lr=0.05)


class Cleared(NeverCleared):
    clears = True


class Long(Script):
    steps = 150


class SameTensors(Script):
    """A loop that fills the same tensors with each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.x, self.y = torch.zeros(16, 6), torch.zeros(16, 1)

    def batch(self) -> tuple[Tensor, Tensor]:
        x, y = super().batch()
        return self.x.copy_(x), self.y.copy_(y)


def shadowed(folder: Path, work: Callable[[], Any], **options: Any) -> Shadowed | None:
    """What came of a copy, once the work is over."""
    with watching(folder, **{"shadow": True, "first": False, "max_diagnoses": 0, **options}) as watched:
        work()
        watched.watcher._ending()
    assert not watched.process.aside, watched.process.aside
    return watched.process.shadowed


@pytest.mark.parametrize("kind", [Script, Clipped, NeverCleared])
def test_it_learns_as_one_that_is_trained_by_hand(tmp_path: Path, kind: type[Script]) -> None:
    """All 50 steps are kept: a stretch of 32, and what has come since."""
    ran: list[float] = []
    told = shadowed(tmp_path, lambda: ran.extend(kind().train()))
    assert told is not None and not told.why and (told.first, told.last, told.own_step) == (1, 50, 50)
    assert list(told.run) == ran and told.passes == 100
    assert list(told.copy) == pytest.approx(kind().by_hand(), rel=1e-6)
    assert told.copy[0] == told.run[0]


def test_what_was_too_large_a_step_ends_far_below(tmp_path: Path) -> None:
    told = shadowed(tmp_path, lambda: NeverCleared().train())
    assert told is not None and told.kind == "SGD" and told.rate == 0.05
    assert told.made_at is not None and "SGD(" in told.made_at.code
    (tmp_path / "cleared").mkdir()
    well = shadowed(tmp_path / "cleared", lambda: Cleared().train())
    assert well is not None and not well.far_below and told.run_ends > 2 * well.run_ends


def test_of_a_long_run_the_last_steps_are_kept(tmp_path: Path) -> None:
    told = shadowed(tmp_path, lambda: Long().train())
    assert told is not None and (told.first, told.last, len(told.copy)) == (97, 150, 54) and told.own_step == 150


def test_batches_that_are_written_over_are_copied(tmp_path: Path) -> None:
    """The first two are lost: from then on the tape copies what comes."""
    told = shadowed(tmp_path, lambda: SameTensors().train())
    assert told is not None and not told.why and len(told.copy) >= 48
    assert len(set(told.run)) == len(told.run)


def test_a_script_that_ends_before_its_last_update(tmp_path: Path) -> None:
    """It sees that its loss is not finite, and leaves."""

    def work() -> None:
        script = Script()
        script.train()
        (script.model(torch.full((16, 6), math.inf)).mean() * 0).item()

    told = shadowed(tmp_path, work)
    assert told is not None and not told.why and told.last == 50


def test_nothing_of_the_run_is_changed(tmp_path: Path) -> None:
    def work() -> None:
        script.__init__()  # type: ignore[misc]
        script.train()
        states.append([p.clone() for p in script.model.parameters()])
        states.append([p.grad.clone() for p in script.model.parameters() if p.grad is not None])
        states.append([x.clone() for s in script.optimizer.state.values() for x in s.values()])
        states.append([torch.get_rng_state()])

    script, states = Script(), list[list[Tensor]]()
    assert shadowed(tmp_path, work) is not None
    now = [
        [p.detach() for p in script.model.parameters()],
        [p.grad for p in script.model.parameters() if p.grad is not None],
        [x for s in script.optimizer.state.values() for x in s.values()],
        [torch.get_rng_state()],
    ]
    for was, found in zip(states, now, strict=True):
        assert len(was) == len(found) and all(map(torch.equal, was, found))
    assert script.optimizer.param_groups[0]["lr"] == 0.3


def test_it_is_off_unless_asked_for(tmp_path: Path) -> None:
    assert shadowed(tmp_path, lambda: Script().train(), shadow=False) is None


def two_optimisers() -> None:
    torch.manual_seed(0)
    one, other = nn.Linear(2, 1), nn.Linear(2, 1)
    optimizers = [SGD(net.parameters(), lr=0.1) for net in (one, other)]
    for _ in range(30):
        for net, optimizer in zip((one, other), optimizers, strict=True):
            optimizer.zero_grad()
            net(torch.randn(4, 2)).square().mean().backward()
            optimizer.step()


def by_closure() -> None:
    net = nn.Linear(2, 1)
    optimizer = LBFGS(net.parameters())

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = net(torch.ones(4, 2)).square().mean()
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)


def what_moves_beside_the_optimiser() -> None:
    """When the script has ended, that is not what it was."""
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    net.bias.requires_grad_(False)
    optimizer = SGD([net.weight], lr=0.1)
    for _ in range(40):
        optimizer.zero_grad()
        (net(torch.randn(4, 2)) - 1).square().mean().backward()
        optimizer.step()
        with torch.no_grad():
            net.bias.lerp_(torch.ones(1), 0.1)


def short() -> None:
    script = Script()
    script.steps = 19
    script.train()


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (two_optimisers, "several optimisers make updates, and what one learns depends on the others"),
        (by_closure, "the backward pass runs inside the update"),
        (what_moves_beside_the_optimiser, "the first batch costs something else when it is taken again"),
        (short, "19 steps were kept, and a copy needs 20"),
    ],
)
def test_where_there_can_be_no_copy_it_is_said_why(tmp_path: Path, work: Callable[[], None], why: str) -> None:
    told = shadowed(tmp_path, work)
    assert told is not None and told.why == why and told.copy == ()
    assert told.passes == (2 if work is what_moves_beside_the_optimiser else 0)


def test_the_first_step_that_is_not_finite_is_the_last_that_is_kept(tmp_path: Path) -> None:
    class Blows(Script):
        def optimised(self) -> Optimizer:
            return SGD(self.model.parameters(), lr=0.05)

        def batch(self) -> tuple[Tensor, Tensor]:
            x, y = super().batch()
            self.drawn = getattr(self, "drawn", 0) + 1
            return x, y / (self.drawn != 40)

    told = shadowed(tmp_path, lambda: Blows().train())
    assert told is not None and told.last == 40 and not told.far_below
    assert told.run_ends == told.copy_ends == float("inf")
