"""Trials of remedies that act through training: copies are trained by the recipes that each recommends."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from gradcheck_cli.records.report import Finding, Remedy, Trial
from gradcheck_cli.records.spec import Step
from gradcheck_cli.runtime.modelcopy import independent_copy
from gradcheck_cli.trials.bench import Bench
from gradcheck_cli.trials.outcome import trained_outcome
from gradcheck_cli.trials.recipes import HABITS
from gradcheck_cli.trials.training import STEPS, Recipe

_LR = 0.01
"""The learning rate where none was given: SGD's usual one."""


@dataclass(frozen=True, kw_only=True)
class TrainingTrial:
    """A remedy that was tried through training, and which of its habit's recipes was the best."""

    remedy: Remedy
    best: int
    trained: Step | None = None
    """No copy is kept: what an opinion trains by is another recipe."""

    @property
    def trains_alike(self) -> bool:
        """Whether a copy can be trained under it: by any recipe."""
        return True

    def begun(self, bench: Bench, finding: Finding, recipe: Recipe) -> tuple[Step, Recipe]:
        """The step on another copy, and the habit's recipe to train it by."""
        habit = HABITS[self.remedy.id](bench.diagnosed.evidence, finding, recipe)
        return bench.on(independent_copy(bench.model)), habit.recipes[self.best]


def practised(bench: Bench, finding: Finding, remedy: Remedy) -> TrainingTrial:
    """Try a remedy that acts through training.

    Raises:
        OutOfBudget: Too few passes are left.
    """
    lr = bench.lr or _LR
    base = Recipe(optimizer=bench.optimizer, lr=lr)
    habit = HABITS[remedy.id](bench.diagnosed.evidence, finding, base)
    bench.budget.spend(len(habit.recipes) * STEPS + bench.cost(base))
    without = bench.without(base)
    results = [(_ended(bench, recipe), recipe) for recipe in habit.recipes]
    best = min(range(len(results)), key=lambda place: results[place][0][0])
    (trained, model), recipe = results[best]
    trial = Trial(
        outcome=trained_outcome(without, trained, bench.diagnosed.evidence.measurement.loss),
        before=without,
        after=trained,
        unit=f"loss after {STEPS} steps of {base.optimizer.value.upper()}({lr:g})",
        steps=STEPS,
        loss_without=without,
        loss_with=trained,
        note=habit.note(recipe, model),
    )
    return TrainingTrial(remedy=replace(remedy, trial=trial, code=habit.code(recipe)), best=best)


def _ended(bench: Bench, recipe: Recipe) -> tuple[float, nn.Module]:
    model = independent_copy(bench.model)
    return bench.trained(bench.step, model, recipe), model
