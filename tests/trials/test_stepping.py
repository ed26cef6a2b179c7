"""The first update on a copy is the one that the optimiser would make, and leaves no trace."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gradcheck_cli import check
from gradcheck_cli.pipeline import diagnose
from gradcheck_cli.records.choices import Optimizer
from gradcheck_cli.records.spec import Step
from gradcheck_cli.records.trainingsettings import Training
from gradcheck_cli.target import wrap_target
from gradcheck_cli.trials import budget
from gradcheck_cli.trials.stepping import first_update, first_updates

SECONDS = {"forward": 0.001, "backward": 0.001}
MAKERS = {Optimizer.SGD: torch.optim.SGD, Optimizer.ADAM: torch.optim.Adam}


def step_of(model, batch, loss="mse_loss"):
    target = wrap_target(model, batch, loss=loss, step=None, name=None, seed=0)
    return Step(target=target, batch=target.batches[0])


def net(*more, dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), *more, nn.ReLU(), nn.Linear(8, 1)).to(dtype)


def batch(dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(16, 4, generator=generator).to(dtype), torch.randn(16, 1, generator=generator).to(dtype)


@pytest.mark.parametrize("kind", MAKERS)
def test_the_losses_are_those_before_and_after_the_optimisers_step(kind):
    model, (x, y) = net(), batch()
    stepped, why = first_update(step_of(model, (x, y)), Training(lr=0.1, optimizer=kind), SECONDS)
    twin = copy.deepcopy(model)
    optimizer = MAKERS[kind](twin.parameters(), lr=0.1)
    loss = F.mse_loss(twin(x), y)
    loss.backward()
    optimizer.step()
    assert why == ""
    assert stepped.before == pytest.approx(loss.item())
    assert stepped.after == pytest.approx(F.mse_loss(twin(x), y).item())
    assert {p.name for p in stepped.parameters} == {name for name, _ in model.named_parameters()}
    gradients = dict(twin.named_parameters())
    assert all(p.driven == int((gradients[p.name].grad != 0).sum()) == p.moved for p in stepped.parameters)


def test_the_model_and_the_generators_come_back():
    model = net(nn.BatchNorm1d(8), nn.Dropout(0.5))
    before, random = copy.deepcopy(model.state_dict()), torch.random.get_rng_state()
    stepped, _ = first_update(step_of(model, batch()), Training(lr=1e-3, optimizer=Optimizer.ADAM), SECONDS)
    assert stepped.after < stepped.before  # the same units are dropped in both passes
    assert all(torch.equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(random, torch.random.get_rng_state())


def test_adam_divides_by_zero_in_half_precision_and_only_there():
    for dtype, broken in ((torch.float16, True), (torch.bfloat16, False)):
        x, y = batch(dtype)
        x[:, 0] = 0.0  # the weights on this column get a gradient of exactly 0
        training = Training(lr=1e-3, optimizer=Optimizer.ADAM)
        stepped, _ = first_update(step_of(net(dtype=dtype), (x, y)), training, SECONDS)
        first = next(p for p in stepped.parameters if p.name == "0.weight")
        assert (first.broken > 0) is broken
        assert first.without_eps is broken and first.dtype == str(dtype).removeprefix("torch.")


def test_an_update_that_rounds_away_moves_nothing():
    step = step_of(net(dtype=torch.bfloat16), batch(torch.bfloat16))
    stepped, _ = first_update(step, Training(lr=1e-9), SECONDS)
    assert sum(p.driven for p in stepped.parameters) > 0
    assert sum(p.moved for p in stepped.parameters) == 0


def test_why_there_is_no_update_is_said(monkeypatch):
    sparse = nn.Embedding(5, 3, sparse=True)
    step = step_of(sparse, torch.arange(5), loss=None)
    _, why = first_update(step, Training(lr=0.1, optimizer=Optimizer.ADAM), SECONDS)
    assert why.startswith("the first update was not simulated: RuntimeError")
    monkeypatch.setattr(budget, "LARGEST", 10)
    _, why = first_update(step_of(net(), batch()), Training(lr=0.1), SECONDS)
    assert "not simulated: a copy of the model takes" in why


def test_more_updates_are_taken_on_two_copies():
    model = net()
    before = copy.deepcopy(model.state_dict())
    again = partial(diagnose)
    later = first_updates(step_of(model, batch()), Training(lr=0.1, optimizer=Optimizer.SGD), 10, again)
    assert later.steps == 10 and later.findings == ()
    assert later.loss < later.loss_slow
    assert all(torch.equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True))


class Leaves(nn.Linear):
    """Works in the pass that is measured, and exits in the next one."""

    passes = 0

    def forward(self, x):
        Leaves.passes += 1
        if Leaves.passes > 1:
            raise SystemExit(3)
        return super().forward(x)


def test_a_model_that_exits_later_costs_only_the_update():
    report = check(Leaves(4, 1), batch(), loss="mse_loss", lr=1e-3)
    assert report.exit_code == 0
    assert "the first update was not simulated: SystemExit: 3" in report.notes
