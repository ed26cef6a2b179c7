"""What copies learn, with a remedy and without, against their own chance."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gradcheck_cli.probe import chance as answers
from gradcheck_cli.remedies import ROWS
from gradcheck_cli.trials.edittrials import confirmed, edited
from gradcheck_cli.trials.learning import CopyLearning, chance, treated, untreated
from gradcheck_cli.trials.training import LONGER, PLAIN, train
from gradcheck_cli.trials.trainingtrials import practised
from tests.trials.contexts import bench_of, finding, step_of

X = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))
BATCH = X, X[:, :4].argmax(1)


def deep() -> nn.Module:
    torch.manual_seed(0)
    layers = [module for width in (8, *[32] * 5) for module in (nn.Linear(width, 32), nn.Sigmoid())]
    return nn.Sequential(*layers, nn.Linear(32, 4))


def trained(model: nn.Module, recipe: int) -> tuple[float, float] | None:
    train(step_of(model, BATCH, "cross_entropy"), model, PLAIN[recipe], LONGER)
    return answers(step_of(model, BATCH, "cross_entropy"))


@pytest.mark.parametrize("recipe", [0, 1])
def test_a_copy_is_held_against_its_own_chance(recipe: int) -> None:
    bench = bench_of(step_of(deep(), BATCH, "cross_entropy"), keeps=True)
    start = chance(bench, bench.step)
    assert start is not None and start[0] == pytest.approx(start[1], rel=1e-3), "one answer for every sample"
    found = untreated(bench, PLAIN[recipe], start)
    assert found.end == trained(deep(), recipe) and not found.learned
    assert found.told == f"{found.end[0]:.3g} (one answer for all costs {found.end[1]:.3g})"


def test_under_a_remedy_the_edited_copy_learns() -> None:
    bench, ill = bench_of(step_of(deep(), BATCH, "cross_entropy"), keeps=True), finding(layers=("0",))
    bench.rewind()
    tried = edited(bench, ill, ROWS["relu"].remedy)
    found = treated(bench, ill, tried, PLAIN[0])
    assert found.learned and found.start is not None and found.end is not None
    assert found.end[0] < 0.85 * found.end[1]


def test_a_copy_that_was_trained_for_as_long_is_not_trained_again() -> None:
    bench, ill = bench_of(step_of(deep(), BATCH, "cross_entropy"), keeps=True), finding(layers=("0",))
    fresh = edited(bench, ill, ROWS["relu"].remedy)
    kept = confirmed(bench, fresh)
    assert fresh.trained is None and kept.trained is not None
    last = replace(bench, budget=type(bench.budget)(4))
    assert treated(last, ill, kept, PLAIN[0]) == treated(bench, ill, fresh, PLAIN[0])


def test_a_habit_is_practised_on_the_plain_recipe() -> None:
    bench, ill = bench_of(step_of(deep(), BATCH, "cross_entropy"), keeps=True), finding(layers=("0",))
    tried = practised(bench, ill, ROWS["lower-lr"].remedy)
    step, recipe = tried.begun(bench, ill, PLAIN[0])
    assert recipe == replace(PLAIN[0], lr=PLAIN[0].lr / (10, 100)[tried.best])
    assert step.target.model is not bench.model
    assert treated(bench, ill, tried, PLAIN[0]).recipe == PLAIN[0]


@pytest.mark.parametrize("found", [None, (1.0, 0.0), (math.nan, 1.0), (1.0, math.inf)])
def test_what_nothing_can_be_held_against_is_no_chance(found: tuple[float, float] | None) -> None:
    bench = replace(bench_of(step_of(deep(), BATCH, "cross_entropy")), chance=lambda step: found)
    assert chance(bench, bench.step) is None


def test_a_loss_that_is_not_finite_has_no_chance_at_the_end() -> None:
    def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return (1e30 * F.mse_loss(model(batch[0]), batch[0])).square()

    bench = bench_of(step_of(nn.Linear(8, 8), BATCH, loss), keeps=True)
    found = untreated(bench, PLAIN[1], (2.0, 2.0))
    assert (found.end, found.loss, found.learned) == (None, math.inf, False)
    assert found.told == "no finite number"


def test_without_a_chance_at_the_end_the_loss_is_told() -> None:
    assert CopyLearning(recipe=PLAIN[0], start=None, end=None, loss=1.25).told == "1.25"
