"""Remedies that act through training, on copies."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gradcheck_cli.records.choices import Optimizer
from gradcheck_cli.remedies import ROWS
from gradcheck_cli.trials.training import STEPS, Recipe, train
from gradcheck_cli.trials.trainingtrials import practised
from tests.trials.contexts import bench_of, finding, step_of

X = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
BATCH = X, X.sum(1, keepdim=True)


def line() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 1)


def ended(lr: float) -> float:
    """The loss that so many steps of SGD end at."""
    model = line()
    return train(step_of(model, BATCH), model, Recipe(optimizer=Optimizer.SGD, lr=lr))


def test_a_loss_that_diverges_without_it_is_told_as_infinite() -> None:
    trial = practised(bench_of(step_of(line(), BATCH), lr=1e3), finding(), ROWS["clipping"].remedy).remedy.trial
    assert ended(1e3) == math.inf
    assert (trial.before, trial.loss_without, trial.outcome) == (math.inf, math.inf, "helps")
    assert (trial.steps, trial.unit) == (STEPS, f"loss after {STEPS} steps of SGD(1000)")


@pytest.mark.parametrize(
    ("lr", "outcome", "best"),
    [(5.0, "helps", 0.05), (0.05, "worse", 0.005)],
)
def test_the_best_of_its_recipes_is_what_is_told_and_pasted(lr: float, outcome: str, best: float) -> None:
    bench = bench_of(step_of(line(), BATCH), lr=lr)
    remedy = practised(bench, finding(), ROWS["lower-lr"].remedy).remedy
    losses = {rate: ended(rate) for rate in (lr / 10, lr / 100)}
    assert remedy.trial.outcome == outcome
    assert remedy.trial.after == remedy.trial.loss_with == pytest.approx(min(losses.values()))
    assert min(losses, key=lambda rate: losses[rate]) == pytest.approx(best)
    assert remedy.code == f"torch.optim.SGD(model.parameters(), lr={best:g})"


def test_without_a_rate_sgds_usual_one_is_taken() -> None:
    trial = practised(bench_of(step_of(line(), BATCH)), finding(), ROWS["warmup"].remedy).remedy.trial
    assert trial.unit == f"loss after {STEPS} steps of SGD(0.01)"
    assert trial.outcome == "worse", "half of the steps are lost to it here"


def test_the_users_model_is_not_trained() -> None:
    model = line()
    before = model.weight.detach().clone()
    practised(bench_of(step_of(model, BATCH), lr=0.1), finding(), ROWS["clipping"].remedy)
    assert torch.equal(model.weight, before)
