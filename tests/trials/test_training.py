"""A few steps, against the same steps written out."""

import copy
import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gradcheck_cli.records.choices import Optimizer
from gradcheck_cli.records.spec import Step
from gradcheck_cli.target import wrap_target
from gradcheck_cli.trials.training import PLAIN, Recipe, train

BATCH = (torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [3.0]]))


def line() -> nn.Linear:
    model = nn.Linear(1, 1)
    nn.init.constant_(model.weight, 0.0)
    nn.init.constant_(model.bias, 0.0)
    return model


def step(model: nn.Module, loss=F.mse_loss) -> Step:
    return Step(target=wrap_target(model, BATCH, loss=loss, step=None, name=None), batch=BATCH)


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [
        (Recipe(optimizer=Optimizer.SGD, lr=0.05), torch.optim.SGD),
        (Recipe(optimizer=Optimizer.ADAM, lr=0.05), torch.optim.Adam),
        (Recipe(optimizer=Optimizer.SGD, lr=0.05, momentum=0.9), partial(torch.optim.SGD, momentum=0.9)),
    ],
)
def test_plain_steps_are_torchs(recipe: Recipe, kind: Callable[..., torch.optim.Optimizer]) -> None:
    model, mine = line(), line()
    optimizer = kind(mine.parameters(), lr=recipe.lr)
    losses = []
    for _ in range(20):
        loss = F.mse_loss(mine(BATCH[0]), BATCH[1])
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert train(step(model), model, recipe) == pytest.approx(sum(losses[-3:]) / 3)
    assert torch.equal(model.weight, mine.weight)


def test_a_clipped_step_has_the_length_of_the_threshold() -> None:
    model = line()
    train(step(model), model, Recipe(optimizer=Optimizer.SGD, lr=1.0, clip=0.001), steps=1)
    assert math.hypot(float(model.weight.detach()), float(model.bias.detach())) == pytest.approx(0.001, rel=1e-3)


def test_decay_and_l1_shrink_towards_zero_and_never_past_it() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    still = copy.deepcopy(model).requires_grad_(True)
    flat = step(still, loss=lambda out, y: 0.0 * out.sum())
    train(flat, still, Recipe(optimizer=Optimizer.SGD, lr=0.1, decay=0.5), steps=2)
    assert float(still.weight.detach()) == pytest.approx(0.95**2)
    train(flat, still, Recipe(optimizer=Optimizer.SGD, lr=0.1, l1=100.0), steps=2)
    assert float(still.weight.detach()) == 0.0


def test_divergence_is_infinite() -> None:
    model = line()
    assert train(step(model), model, Recipe(optimizer=Optimizer.SGD, lr=1e30)) == math.inf


def test_a_recipe_is_named_as_torch_names_it() -> None:
    assert [recipe.name for recipe in PLAIN] == ["Adam(0.001)", "SGD(0.01)"]
    assert Recipe(optimizer=Optimizer.ADAMW, lr=3e-4).name == "AdamW(0.0003)"
