"""The first updates, simulated on copies: what the optimiser and its rate make of the model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gradcheck_cli.records.batchwise import is_ill
from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.firstupdates import Later, Moved, Stepped
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.spec import Step
from gradcheck_cli.records.trainingsettings import Training
from gradcheck_cli.runtime.modelcopy import NotIndependent, independent_copy
from gradcheck_cli.runtime.passes import cut_off, run_backward
from gradcheck_cli.runtime.state import keeping, preserved, seed_everything
from gradcheck_cli.trials.budget import too_costly
from gradcheck_cli.trials.training import Recipe, loss_of, optimizer_of, train

if TYPE_CHECKING:
    from gradcheck_cli.trials.bench import Diagnose

PASSES = 2
"""Passes that one update takes: the one that it is computed from, and another forward pass after it."""
_SLOW = 0.1
"""Share of the rate at which as many steps are taken for comparison: where a warm-up begins, or below."""


def first_update(step: Step, training: Training, seconds: Mapping[str, float]) -> tuple[Stepped | None, str]:
    """What the first update makes of a copy of the model, and why there is none where there is none.

    It takes `PASSES` passes, and the model comes back as it was; `seconds` tells how long a pass took.
    """
    if why := too_costly(step.target.model, seconds):
        return None, f"the first update was not simulated: {why}"
    step = replace(step, batch=cut_off(step.batch))
    try:
        with preserved(step.target.model, step.batch, getattr(step.target.forward, "loss", None)):
            return _stepped(step, _recipe(training)), ""
    except NotIndependent as reason:
        return None, f"the first update was not simulated: {reason}"
    except (Exception, SystemExit) as error:  # the user's code, or an optimiser that takes no such gradient
        return None, f"the first update was not simulated: {type(error).__name__}: {error}".splitlines()[0][:160]


def first_updates(step: Step, training: Training, steps: int, diagnose: Diagnose) -> Later | None:
    """What more updates at the full rate come to, beside as many at a tenth of it; None where they cannot be had.

    Both copies are diagnosed: two times `steps` + 1 passes. The model comes back as it was.
    """
    step = replace(step, batch=cut_off(step.batch))
    recipe = _recipe(training)
    try:
        with preserved(step.target.model, step.batch, getattr(step.target.forward, "loss", None)) as state:
            loss, ill = _after(step, recipe, steps, diagnose)
            state.restore()
            slow, others = _after(step, replace(recipe, lr=_SLOW * recipe.lr), steps, diagnose)
    except (Exception, SystemExit):
        return None
    return Later(steps, loss, slow, tuple(finding for finding in ill if not _as_bad(finding, others)))


def _recipe(training: Training) -> Recipe:
    assert training.lr is not None
    return Recipe(optimizer=training.optimizer, lr=training.lr)


def _after(step: Step, recipe: Recipe, steps: int, diagnose: Diagnose) -> tuple[float, tuple[Finding, ...]]:
    """Where training a copy ends, and how the signal or the gradient of that copy is ill."""
    model = independent_copy(step.target.model)
    loss = train(step, model, recipe, steps)
    if not math.isfinite(loss):
        return loss, ()
    found = diagnose(replace(step, target=replace(step.target, model=model))).verdict.findings
    families = (Family.VANISHING, Family.NO_GRADIENT)
    return loss, tuple(f for f in found if is_ill(f) and f.family in families)


def _as_bad(finding: Finding, others: tuple[Finding, ...]) -> bool:
    """Whether one of the others names the same cause, and is no mere suspicion where the finding is none."""
    alike = [other for other in others if other.cause == finding.cause]
    return any(finding.severity is Severity.NOTE or other.severity is not Severity.NOTE for other in alike)


def _stepped(step: Step, recipe: Recipe) -> Stepped:
    model = independent_copy(step.target.model)
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = optimizer_of(recipe, list(named.values()))
    eps = optimizer.defaults.get("eps")
    put_back = keeping(step.batch)  # a forward pass may write into its inputs
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    optimizer.zero_grad()
    before = _loss(step, model)
    run_backward(before)
    weights = {name: p.detach().clone() for name, p in named.items() if p.grad is not None}
    optimizer.step()
    parameters = tuple(_moved(name, named[name], then, eps) for name, then in weights.items())
    put_back()
    with torch.no_grad():
        for buffer, values in buffers:
            buffer.copy_(values)
    after = float(_loss(step, model).detach())
    return Stepped(before=float(before.detach()), after=after, parameters=parameters, passes=PASSES)


def _loss(step: Step, model: nn.Module) -> Tensor:
    seed_everything(step.seed)
    return loss_of(step, model)


def _moved(name: str, now: Tensor, then: Tensor, eps: float | None) -> Moved:
    gradient = now.grad
    assert gradient is not None
    driven = (gradient.to_dense() if gradient.layout is not torch.strided else gradient) != 0
    values = now.detach()
    return Moved(
        name=name,
        dtype=str(now.dtype).removeprefix("torch."),
        driven=int(driven.sum()),
        moved=int(((values != then) & driven).sum()),
        broken=int((~values.isfinite() & then.isfinite()).sum()),
        without_eps=eps is not None and now.is_floating_point() and float(torch.tensor(eps, dtype=now.dtype)) == 0,
    )
