"""What all trials of one check share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from torch import nn

from gradcheck_cli.records.choices import Optimizer
from gradcheck_cli.records.judging import JudgedStep
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.spec import Step
from gradcheck_cli.runtime.modelcopy import independent_copy
from gradcheck_cli.trials.budget import Budget
from gradcheck_cli.trials.planning import PlanningContext
from gradcheck_cli.trials.torchcalls import TorchCall
from gradcheck_cli.trials.training import LONGER, PLAIN, STEPS, Recipe, train

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

    Diagnose: TypeAlias = Callable[[Step], JudgedStep[Evidence]]
    Chance: TypeAlias = Callable[[Step], "tuple[float, float] | None"]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all trials of one check share.

    Attributes:
        step: The step that was diagnosed.
        diagnosed: What was found in it.
        diagnose: Measures and judges another step.
        chance: The loss of a step and Lm, what one answer for every sample costs; None where that cannot be had.
        calls: The torch functions that the model calls.
        optimizer: What the user trains with.
        lr: At which rate, if it is known.
        budget: How much may be tried.
        beat: Called before each step of training.
        rewind: Puts model, batch and generators back, before each trial.
        keeps: Whether copies that were trained for `LONGER` steps are kept, since an opinion looks at them.
    """

    step: Step
    diagnosed: JudgedStep[Evidence]
    diagnose: Diagnose
    chance: Chance
    calls: tuple[TorchCall, ...]
    optimizer: Optimizer
    lr: float | None
    budget: Budget
    beat: Callable[[], None] = lambda: None
    rewind: Callable[[], None] = lambda: None
    keeps: bool = False
    _ended: dict[tuple[Recipe, int], float] = field(default_factory=dict)
    _kept: dict[Recipe, nn.Module] = field(default_factory=dict)

    @property
    def model(self) -> nn.Module:
        """The user's model, which no trial touches."""
        return self.step.target.model

    @property
    def recipe(self) -> Recipe:
        """How edited copies are trained: as the user trains, else with Adam at 1e-3."""
        if self.lr:
            return Recipe(optimizer=self.optimizer, lr=self.lr)
        return PLAIN[0]

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """What decides whether a copy learns: training as the user trains, else either plain recipe."""
        return (self.recipe,) if self.lr else PLAIN

    def again(self, step: Step) -> JudgedStep[Evidence]:
        """Another step measured and judged; the further passes that it took are charged."""
        found = self.diagnose(step)
        self.budget.charge(found.evidence.enquiry.passes)
        return found

    def context(self, finding: Finding) -> PlanningContext:
        """What is known when remedies for a finding are planned."""
        return PlanningContext(
            model=self.model,
            batch=self.step.batch,
            finding=finding,
            evidence=self.diagnosed.evidence,
            calls=self.calls,
            seed=self.step.seed,
        )

    def cost(self, recipe: Recipe, steps: int = STEPS) -> int:
        """Passes that `without` takes: none where it is known already."""
        return 0 if (recipe, steps) in self._ended else steps

    def without(self, recipe: Recipe, steps: int = STEPS) -> float:
        """Where training ends without any remedy."""
        if (recipe, steps) not in self._ended:
            model = independent_copy(self.model)
            self._ended[recipe, steps] = self.trained(self.step, model, recipe, steps)
            if self.keeps and steps == LONGER:
                self._kept[recipe] = model
        return self._ended[recipe, steps]

    def untreated(self, recipe: Recipe) -> Step:
        """The step on a copy after `LONGER` steps without any remedy, of a bench that keeps them."""
        self.without(recipe, LONGER)
        return self.on(self._kept[recipe])

    def on(self, model: nn.Module) -> Step:
        """The step on a copy."""
        return replace(self.step, target=replace(self.step.target, model=model))

    def trained(self, step: Step, model: nn.Module, recipe: Recipe, steps: int = STEPS) -> float:
        """Where training a copy ends."""
        return train(step, model, recipe, steps, self.beat)
