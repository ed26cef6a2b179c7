"""What all trials of one check share."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradcheck_cli.records.choices import Optimizer
from gradcheck_cli.trials.training import LONGER, PLAIN, Recipe, train
from tests.trials.contexts import bench_of, finding, step_of

BATCH = torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [3.0]])


def line() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(1, 1)


@pytest.mark.parametrize(
    ("lr", "optimizer", "recipe"),
    [
        (None, Optimizer.SGD, Recipe(optimizer=Optimizer.ADAM, lr=1e-3)),
        (0.1, Optimizer.SGD, Recipe(optimizer=Optimizer.SGD, lr=0.1)),
        (3e-4, Optimizer.ADAMW, Recipe(optimizer=Optimizer.ADAMW, lr=3e-4)),
    ],
)
def test_copies_are_trained_as_the_user_trains_and_else_with_adam(
    lr: float | None, optimizer: Optimizer, recipe: Recipe
) -> None:
    assert bench_of(step_of(line(), BATCH), lr=lr, optimizer=optimizer).recipe == recipe


def test_where_training_ends_without_a_remedy_is_found_once_for_each_recipe_and_length() -> None:
    passes: list[int] = []

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        passes.append(1)
        return F.mse_loss(model(batch[0]), batch[1])

    model = line()
    before = model.weight.detach().clone()
    bench = bench_of(step_of(model, BATCH, loss))
    recipe = Recipe(optimizer=Optimizer.SGD, lr=0.05)
    passes.clear()
    ended = [bench.without(recipe, 5), bench.without(recipe, 5), bench.without(recipe, 7)]
    assert len(passes) == 5 + 7
    copies = [line(), line()]
    expected = [train(step_of(copy, BATCH), copy, recipe, n) for copy, n in zip(copies, (5, 7), strict=True)]
    assert ended == pytest.approx([expected[0], expected[0], expected[1]])
    assert torch.equal(model.weight, before), "the user's model is not touched"


def test_a_situation_holds_the_finding_and_all_that_was_recorded() -> None:
    model = line()
    bench, ill = bench_of(step_of(model, BATCH, seed=3)), finding(cause="small-init")
    found = bench.context(ill)
    assert (found.model, found.finding, found.seed) == (model, ill, 3)
    assert found.model is bench.model
    assert found.evidence is bench.diagnosed.evidence
    assert [call.name for call in found.calls] == ["linear"]


def test_what_decides_is_either_plain_recipe_or_the_users() -> None:
    assert bench_of(step_of(line(), BATCH)).recipes == PLAIN
    named = bench_of(step_of(line(), BATCH), lr=0.1)
    assert named.recipes == (named.recipe,)


def test_a_bench_that_keeps_its_copies_trains_them_once() -> None:
    bench = bench_of(step_of(line(), BATCH), keeps=True)
    assert bench.cost(PLAIN[0], LONGER) == LONGER
    ended = bench.without(PLAIN[0], LONGER)
    step, copy = bench.untreated(PLAIN[0]), line()
    assert bench.cost(PLAIN[0], LONGER) == 0 and bench.untreated(PLAIN[0]).target.model is step.target.model
    assert train(step_of(copy, BATCH), copy, PLAIN[0], LONGER) == pytest.approx(ended)
    assert torch.equal(step.target.model.weight, copy.weight) and step.target.model is not bench.model
