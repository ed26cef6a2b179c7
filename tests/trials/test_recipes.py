"""Remedies that act through training: their recipes, and the strengths that a spectral radius asks for."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from gradcheck_cli.evidence import Evidence, gather
from gradcheck_cli.records.choices import Optimizer
from gradcheck_cli.trials.recipes import HABITS, HORIZON, THRESHOLDS, RecipeSet
from gradcheck_cli.trials.training import STEPS, Recipe
from tests.measurements import measurement, parameter
from tests.trials.contexts import finding

BASE = Recipe(optimizer=Optimizer.SGD, lr=0.01)


def recurrent(radius: float | None, **fields: Any) -> Evidence:
    """A square weight of 16 elements with this spectral radius."""
    weight = parameter("carry", op=None, grad=None, spectral_radius=radius, **({"weight_norm": 8.0} | fields))
    return gather(measurement(parameters=[weight]))


def habit(remedy: str, evidence: Evidence) -> RecipeSet:
    return HABITS[remedy](evidence, finding(), BASE)


def test_clipping_is_tried_at_several_thresholds_and_pasted_with_the_best() -> None:
    found = habit("clipping", recurrent(None))
    assert [recipe.clip for recipe in found.recipes] == list(THRESHOLDS)
    assert {(recipe.lr, recipe.optimizer, recipe.decay) for recipe in found.recipes} == {(0.01, Optimizer.SGD, 0.0)}
    best = found.recipes[1]
    assert found.code(best) == "torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1)"
    assert found.note(best, nn.Linear(1, 1)) == "the best threshold of 0.1, 1, 10 is 1"


@pytest.mark.parametrize(("radius", "gain"), [(3.0, 3.0), (1.005, 2.0), (None, 2.0), (0.5, 2.0)])
def test_weight_decay_brings_the_gain_to_one_within_its_horizon(radius: float | None, gain: float) -> None:
    (recipe,) = habit("weight-decay", recurrent(radius)).recipes
    assert gain * (1 - recipe.lr * recipe.decay) ** HORIZON == pytest.approx(1, rel=0.05)
    assert recipe.clip == 1.0


@pytest.mark.parametrize("radius", [1.5, 4.0])
def test_an_l1_penalty_takes_what_is_too_much_of_a_mean_weight_within_its_horizon(radius: float) -> None:
    (recipe,) = habit("l1", recurrent(radius)).recipes
    size = 8.0 / math.sqrt(16)
    assert size - HORIZON * recipe.lr * recipe.l1 == pytest.approx(size / radius, rel=0.05)


def test_the_spectral_radius_is_told_before_and_after() -> None:
    model = nn.Module()
    model.carry = nn.Parameter(torch.diag(torch.tensor([0.25, -1.5])))
    evidence = recurrent(3.0, shape=(2, 2), numel=4)
    for remedy in ("weight-decay", "l1"):
        found = habit(remedy, evidence)
        assert found.note(found.recipes[0], model).endswith("; its spectral radius goes from 3 to 1.5")
        assert "radius" not in habit(remedy, recurrent(None)).note(found.recipes[0], model)


def test_of_stacked_gates_the_largest_radius_counts() -> None:
    model = nn.Module()
    model.carry = nn.Parameter(torch.cat([torch.eye(2), 2 * torch.eye(2)]))
    found = habit("l1", recurrent(3.0, shape=(4, 2), numel=8))
    assert found.note(found.recipes[0], model).endswith("from 3 to 2")


def test_a_lower_rate_is_tried_at_a_tenth_and_a_hundredth() -> None:
    found = habit("lower-lr", recurrent(None))
    assert [recipe.lr for recipe in found.recipes] == pytest.approx([1e-3, 1e-4])
    assert found.code(found.recipes[0]) == "torch.optim.SGD(model.parameters(), lr=0.001)"


def test_a_warm_up_lasts_as_long_as_it_is_tried() -> None:
    found = habit("warmup", recurrent(None))
    (recipe,) = found.recipes
    assert recipe.warmup and recipe.lr == BASE.lr
    assert f"total_iters={STEPS}" in found.code(recipe)


@pytest.mark.parametrize("remedy", HABITS)
def test_every_line_to_paste_is_python(remedy: str) -> None:
    found = habit(remedy, recurrent(3.0))
    for recipe in found.recipes:
        compile(found.code(recipe), remedy, "exec")
