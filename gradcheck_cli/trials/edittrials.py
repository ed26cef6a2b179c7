"""Trials of remedies that edit the model: a copy is edited, measured again, judged again, and trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from gradcheck_cli.records.report import Finding, Remedy, Trial
from gradcheck_cli.records.spec import Pass, Step
from gradcheck_cli.runtime.modelcopy import independent_copy
from gradcheck_cli.runtime.passes import low_precision
from gradcheck_cli.trials import edits
from gradcheck_cli.trials.bench import Bench
from gradcheck_cli.trials.outcome import measured_outcome, trained_outcome
from gradcheck_cli.trials.patch import patch_source
from gradcheck_cli.trials.planning import Plan
from gradcheck_cli.trials.remedyplans import plan
from gradcheck_cli.trials.training import LONGER, STEPS, Recipe


@dataclass(frozen=True, kw_only=True)
class EditTrial:
    """A remedy that was tried by editing a copy.

    Attributes:
        remedy: It, with what came of the trial.
        plan: How it was tried.
        start: The loss of the edited copy before any training.
        trained: The step on the copy after `LONGER` steps of the bench's recipe, where it was kept.
    """

    remedy: Remedy
    plan: Plan
    start: float
    trained: Step | None = None

    @property
    def trains_alike(self) -> bool:
        """Whether a copy can be trained as it is; a loss that was scaled has to be unscaled before each step."""
        return self.plan.loss_scale == 1.0

    def begun(self, bench: Bench, finding: Finding, recipe: Recipe) -> tuple[Step, Recipe]:
        """The step on another copy under the remedy, and the recipe to train it by."""
        return _under(bench, self.plan), recipe


def edited(bench: Bench, finding: Finding, remedy: Remedy) -> EditTrial:
    """Try a remedy that edits the model.

    Raises:
        NotTriable: It finds nothing to act on.
        OutOfBudget: No pass is left.
        RaisedByUser: The user's code raised on the edited copy.
    """
    made = plan(remedy.id, bench.context(finding))
    bench.budget.spend(1)
    step = _under(bench, made)
    again = bench.again(step)
    before, after = bench.diagnosed.read(finding), again.read(finding)
    outcome, note = measured_outcome(finding, bench.diagnosed.verdict.findings, again.verdict.findings, (before, after))
    trial = Trial(
        outcome=outcome,
        before=before.value if before else None,
        after=after.value if after else None,
        unit=before.unit if before else "",
        note="; ".join(filter(None, (note, *_changes(made, bench.model, step.target.model)))),
    )
    # The lower of the two: a copy that starts far worse than the model has learnt nothing by coming back.
    start = min(again.evidence.measurement.loss, bench.diagnosed.evidence.measurement.loss, key=abs)
    if outcome in ("fixed", "helps") and made.loss_scale == 1.0:  # a scale is undone before the step
        trial = _compared(bench, trial, made, start)
    if outcome in ("fixed", "helps") and (made.edits or made.targets is not None):
        trial = replace(trial, patch=patch_source(made, remedy.title, bench.step.target.name))
    return EditTrial(remedy=replace(remedy, trial=trial), plan=made, start=start)


def confirmed(bench: Bench, tried: EditTrial) -> EditTrial:
    """A remedy that fixes its finding, after more steps of training than the others."""
    if tried.remedy.trial.steps == LONGER or not tried.trains_alike:
        return tried
    trial, step = _trained(bench, tried.remedy.trial, tried.plan, tried.start, LONGER)
    kept = step if bench.keeps else None
    return replace(tried, remedy=replace(tried.remedy, trial=trial), trained=kept)


def _under(bench: Bench, made: Plan) -> Step:
    """The step on a copy that the plan was carried out on."""
    model, batch, autocast = independent_copy(bench.model), bench.step.batch, bench.step.autocast
    for edit in made.edits:
        edit.apply(model)
    if made.targets is not None:
        batch = edits.standardise_targets(batch, made.targets)
    target = replace(bench.step.target, model=model)
    if made.loss_scale != 1.0:
        target = replace(target, forward=_scaled(target.forward, made.loss_scale))
    if made.precision:
        dtype = getattr(torch, made.precision)
        low = low_precision(model, None)
        autocast = None if autocast is None or dtype is torch.float32 else dtype
        if low is not None:
            model.to(dtype)
            batch = tree_map(lambda x: x.to(dtype) if isinstance(x, Tensor) and x.dtype is low else x, batch)
    return replace(bench.step, target=target, batch=batch, autocast=autocast)


def _scaled(forward: Callable[[nn.Module, Any], Pass], scale: float) -> Callable[[nn.Module, Any], Pass]:
    def scaled(model: nn.Module, batch: Any) -> Pass:
        result = forward(model, batch)
        return replace(result, loss=result.loss * scale)

    return scaled


def _compared(bench: Bench, trial: Trial, made: Plan, start: float) -> Trial:
    """The trial with what training comes to; where it is worse also after more steps, so is the outcome."""
    first, _ = _trained(bench, trial, made, start, STEPS)
    return _trained(bench, trial, made, start, LONGER)[0] if first.outcome == "worse" else first


def _trained(bench: Bench, trial: Trial, made: Plan, start: float, steps: int) -> tuple[Trial, Step | None]:
    """The trial with what so many steps come to, and the step on the copy that took them, if they are left.

    `start` is the loss before the first.
    """
    if not bench.budget.take(steps + bench.cost(bench.recipe, steps)):
        return trial, None
    step = _under(bench, made)
    trained = bench.trained(step, step.target.model, bench.recipe, steps)
    without = bench.without(bench.recipe, steps)
    trial = replace(trial, steps=steps, loss_without=without, loss_with=trained)
    if made.targets is not None or trained_outcome(without, trained, start) != "worse":
        return trial, step  # on other targets the losses do not compare
    note = f"{steps} steps of training end at a higher loss"
    return replace(trial, outcome="worse", note="; ".join(filter(None, (note, trial.note)))), step


def _changes(made: Plan, before: nn.Module, after: nn.Module) -> Iterator[str]:
    yield from dict.fromkeys(edit.changes for edit in made.edits)
    if made.loss_scale != 1.0:
        yield f"the loss times {made.loss_scale:,.0f}"
    if made.targets is not None:
        yield "scales the targets"
    more = sum(p.numel() for p in after.parameters()) - sum(p.numel() for p in before.parameters())
    if more:
        yield f"{more:+,} parameters"
