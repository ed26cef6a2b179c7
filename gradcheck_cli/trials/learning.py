"""What a copy learns in `LONGER` steps, held against its own chance: what one answer for every sample costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from gradcheck_cli.records.report import Finding, Remedy
from gradcheck_cli.records.spec import Step
from gradcheck_cli.trials.bench import Bench
from gradcheck_cli.trials.outcome import gain, learned
from gradcheck_cli.trials.training import LONGER, Recipe

CHANCE = 2
"""Forward passes that a loss and its chance take, each counted as a pass."""


class Treatment(Protocol):
    """A remedy that was tried, and how to train under it again."""

    @property
    def remedy(self) -> Remedy:
        """It, with what came of its trial."""

    @property
    def trained(self) -> Step | None:
        """The step on a copy that took `LONGER` steps of the bench's recipe under it, where one was kept."""

    @property
    def trains_alike(self) -> bool:
        """Whether a copy under it can be trained by any recipe."""

    def begun(self, bench: Bench, finding: Finding, recipe: Recipe) -> tuple[Step, Recipe]:
        """The step on another copy, and the recipe to train it by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyLearning:
    """Where a copy began and ended.

    Attributes:
        recipe: How it was trained.
        start: Its loss and its chance before the first step; None where chance cannot be had.
        end: The same after the last.
        loss: Mean loss of the last three steps; inf if one was not finite.
    """

    recipe: Recipe
    start: tuple[float, float] | None
    end: tuple[float, float] | None
    loss: float

    @property
    def learned(self) -> bool:
        """Whether it learned more than an average."""
        return learned(self.start, self.end)

    @property
    def told(self) -> str:
        """Where it ended, in words that read after "end at a loss of"."""
        if self.end is None:
            return f"{self.loss:.3g}" if math.isfinite(self.loss) else "no finite number"
        return f"{self.end[0]:.3g} (one answer for all costs {self.end[1]:.3g})"


def chance(bench: Bench, step: Step) -> tuple[float, float] | None:
    """The loss of a step and its chance; None where it cannot be had, or where nothing can be held against it.

    Raises:
        OutOfBudget: Too few passes are left.
    """
    bench.budget.spend(CHANCE)
    answers = bench.chance(step)
    return answers if gain(answers) is not None else None


def untreated(bench: Bench, recipe: Recipe, start: tuple[float, float]) -> CopyLearning:
    """What a copy learns without any remedy, on a bench that keeps such copies; `start` is its chance before.

    Raises:
        OutOfBudget: Too few passes are left.
        Exception: Whatever the user's code raises.
    """
    bench.budget.spend(bench.cost(recipe, LONGER))
    bench.rewind()
    step, loss = bench.untreated(recipe), bench.without(recipe, LONGER)
    return CopyLearning(recipe=recipe, start=start, end=_end(bench, step, loss), loss=loss)


def treated(bench: Bench, finding: Finding, treatment: Treatment, recipe: Recipe) -> CopyLearning:
    """What a copy learns under a remedy.

    Raises:
        OutOfBudget: Too few passes are left.
        Exception: Whatever the user's code raises.
    """
    bench.rewind()
    step, by = treatment.begun(bench, finding, recipe)
    start = chance(bench, step)
    if treatment.trained is not None and recipe == bench.recipe:
        step, loss = treatment.trained, treatment.remedy.trial.loss_with or 0.0
    else:
        bench.budget.spend(LONGER)
        loss = bench.trained(step, step.target.model, by, LONGER)
    return CopyLearning(recipe=recipe, start=start, end=_end(bench, step, loss), loss=loss)


def _end(bench: Bench, step: Step, loss: float) -> tuple[float, float] | None:
    return chance(bench, step) if math.isfinite(loss) else None
