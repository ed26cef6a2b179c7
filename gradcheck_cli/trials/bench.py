"""What all trials of one check share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from torch import nn

from gradcheck_cli.records.choices import Optimizer
from gradcheck_cli.records.judging import Diagnosed
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.spec import Step
from gradcheck_cli.runtime.copies import independent_copy
from gradcheck_cli.trials.budget import Budget
from gradcheck_cli.trials.calls import Call
from gradcheck_cli.trials.situation import Situation
from gradcheck_cli.trials.training import STEPS, Recipe, train

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

    Diagnose: TypeAlias = Callable[[Step], Diagnosed[Evidence]]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all trials of one check share.

    Attributes:
        step: The step that was diagnosed.
        diagnosed: What was found in it.
        diagnose: Measures and judges another step.
        calls: The torch functions that the model calls.
        optimizer: What the user trains with.
        lr: At which rate, if it is known.
        budget: How much may be tried.
        beat: Called before each step of training.
        rewind: Puts model, batch and generators back, before each trial.
    """

    step: Step
    diagnosed: Diagnosed[Evidence]
    diagnose: Diagnose
    calls: tuple[Call, ...]
    optimizer: Optimizer
    lr: float | None
    budget: Budget
    beat: Callable[[], None] = lambda: None
    rewind: Callable[[], None] = lambda: None
    _untreated: dict[tuple[Recipe, int], float] = field(default_factory=dict)

    @property
    def model(self) -> nn.Module:
        """The user's model, which no trial touches."""
        return self.step.target.model

    @property
    def recipe(self) -> Recipe:
        """How edited copies are trained: as the user trains, else with Adam at 1e-3."""
        if self.lr:
            return Recipe(optimizer=self.optimizer, lr=self.lr)
        return Recipe(optimizer=Optimizer.ADAM, lr=1e-3)

    def situation(self, finding: Finding) -> Situation:
        """What is known when remedies for a finding are planned."""
        return Situation(
            model=self.model,
            batch=self.step.batch,
            finding=finding,
            evidence=self.diagnosed.evidence,
            calls=self.calls,
            seed=self.step.seed,
        )

    def cost(self, recipe: Recipe, steps: int = STEPS) -> int:
        """Passes that `without` takes: none where it is known already."""
        return 0 if (recipe, steps) in self._untreated else steps

    def without(self, recipe: Recipe, steps: int = STEPS) -> float:
        """Where training ends without any remedy."""
        if (recipe, steps) not in self._untreated:
            self._untreated[recipe, steps] = self.trained(self.step, independent_copy(self.model), recipe, steps)
        return self._untreated[recipe, steps]

    def trained(self, step: Step, model: nn.Module, recipe: Recipe, steps: int = STEPS) -> float:
        """Where training a copy ends."""
        return train(step, model, recipe, steps, self.beat)
