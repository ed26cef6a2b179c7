"""Try every remedy that can be tried, until the budget is spent; read `try_remedies` first."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from gradcheck_cli.ledger import account_for
from gradcheck_cli.probe import measure
from gradcheck_cli.probe.precision import low_precision
from gradcheck_cli.records.choices import Family, Optimizer, Severity
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.report import Finding, Remedy, Trial
from gradcheck_cli.records.spec import CheckSpec, Pass, Target
from gradcheck_cli.rules import judge
from gradcheck_cli.rules.evidence import Evidence
from gradcheck_cli.rules.numbers import reading
from gradcheck_cli.runtime.state import preserved
from gradcheck_cli.trials import edits
from gradcheck_cli.trials.calls import NotTriable, recorded_calls
from gradcheck_cli.trials.habits import HABITS
from gradcheck_cli.trials.outcome import measured_outcome, ranked, trained_outcome
from gradcheck_cli.trials.patch import patch_source
from gradcheck_cli.trials.plans import plan
from gradcheck_cli.trials.situation import Plan, Situation
from gradcheck_cli.trials.training import LONGER, STEPS, Recipe, train

_TRIED = (Family.VANISHING, Family.EXPLODING, Family.NO_GRADIENT, Family.PRECISION)

_INTERRUPTED = "the trials of remedies were interrupted"
LARGEST = 2 * 2**30
"""Bytes of parameters and buffers up to which a model is copied."""
FINALISTS = 2
"""The best remedies of a finding, which are trained for longer."""


def try_remedies(
    target: Target,
    spec: CheckSpec,
    measurement: Measurement,
    findings: tuple[Finding, ...],
    on_stage: Callable[..., None] = lambda *stage: None,
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """The findings with their remedies tried on copies of the model and ranked, and notes on what was left out.

    No trial is begun that would not end within `spec.try_budget` seconds, by the time that the measured pass took. The
    model comes back as it was. An interrupt ends the trials and keeps what is known.
    """
    ill = [f for f in findings if f.severity is not Severity.NOTE and f.family in _TRIED]
    if not ill or spec.try_budget <= 0:
        return findings, ()
    if why := _too_costly(target.model, measurement, spec.try_budget):
        return findings, (f"no remedy was tried: {why}",)
    tried = {id(f): f for f in findings}
    clinic: _Clinic | None = None
    try:
        with preserved(target.model):
            clinic = _Clinic(target, spec, measurement, findings, on_stage)
            for finding in ill:
                tried[id(finding)] = finding if clinic.interrupted else clinic.treated(finding)
    except KeyboardInterrupt:
        return findings, (_INTERRUPTED,)
    except NotTriable as reason:
        return findings, (f"no remedy was tried: {reason}",)
    except Exception as error:
        return tuple(tried[id(f)] for f in findings), (f"no remedy was tried: {_told(error)}",)
    return tuple(tried[id(f)] for f in findings), clinic.notes()


def _too_costly(model: nn.Module, measurement: Measurement, budget: float) -> str:
    """Why not even the first trial is begun; empty where it is."""
    size = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
    if size > LARGEST:
        return f"a copy of the model takes {size / 2**30:.1f} GB"
    seconds = _pass_seconds(measurement)
    if 3 * seconds > budget:  # the calls are recorded, and one remedy measured
        return f"one pass takes {seconds:.1f} s; --try-budget gives more time than {budget:g} s"
    return ""


def _pass_seconds(measurement: Measurement) -> float:
    return measurement.seconds["forward"] + measurement.seconds["backward"]


class _Clinic:
    """What all trials of one check share."""

    def __init__(
        self,
        target: Target,
        spec: CheckSpec,
        measurement: Measurement,
        findings: tuple[Finding, ...],
        on_stage: Callable[..., None],
    ) -> None:
        self.target, self.spec, self.findings, self.on_stage = target, spec, findings, on_stage
        self.batch = target.batches[0]
        self.deadline = time.monotonic() + spec.try_budget
        self.autocast = getattr(torch, spec.autocast) if spec.autocast else None
        self.evidence = self._evidence(measurement)
        self.calls = recorded_calls(target, self.batch, spec.seed, self.autocast, measurement)
        self.recipe = (
            Recipe(optimizer=spec.optimizer, lr=spec.lr) if spec.lr else Recipe(optimizer=Optimizer.ADAM, lr=1e-3)
        )
        self._made: dict[str, tuple[Plan, float]] = {}
        self._untreated: dict[tuple[Recipe, int], float] = {}
        self.remedies = sum(len(f.remedies) for f in findings if f.family in _TRIED)
        self.begun = self.late = 0
        self.interrupted = False
        self.pass_seconds = _pass_seconds(measurement)

    def notes(self) -> tuple[str, ...]:
        """What the budget left out."""
        if self.interrupted:
            return (_INTERRUPTED,)
        left = f"{self.late} remedies were not tried within {self.spec.try_budget:g} s; --try-budget gives more time"
        return (left,) if self.late else ()

    def treated(self, finding: Finding) -> Finding:
        """The finding with its remedies tried, the best first; an interrupt keeps those that were."""
        tried = {remedy.id: remedy for remedy in finding.remedies}
        try:
            for remedy in finding.remedies:
                tried[remedy.id] = self._tried(finding, remedy)
            self._confirm(tried)
        except KeyboardInterrupt:
            self.interrupted = True
        return replace(finding, remedies=ranked(list(tried.values())))

    def _confirm(self, tried: dict[str, Remedy]) -> None:
        """Train the best for longer, until the best are those that stand it."""
        confirmed: set[str] = set()
        while True:
            best = ranked(list(tried.values()))[:FINALISTS]
            waiting = [r for r in best if r.trial.outcome == "fixed" and r.id not in confirmed]
            if not waiting:
                return
            confirmed.add(waiting[0].id)
            tried[waiting[0].id] = self._confirmed(waiting[0])

    def _tried(self, finding: Finding, remedy: Remedy) -> Remedy:
        self.begun += 1
        self.on_stage(f"trying: {remedy.title}", self.begun, self.remedies)
        if not self._time_for(3 * STEPS if remedy.id in HABITS else 2):
            self.late += 1
            return replace(remedy, trial=Trial(note="no time was left to try it"))
        try:
            return (self._practised if remedy.id in HABITS else self._edited)(finding, remedy)
        except NotTriable as reason:
            return replace(remedy, trial=Trial(note=str(reason)))
        except Exception as error:  # the user's code on a model that it was not written for
            return replace(remedy, trial=Trial(note=_told(error)))

    def _time_for(self, passes: int) -> bool:
        """Whether that many forward and backward passes are likely to end within the budget."""
        return time.monotonic() + passes * self.pass_seconds < self.deadline

    # -- remedies that edit the model

    def _edited(self, finding: Finding, remedy: Remedy) -> Remedy:
        made = plan(
            remedy.id,
            Situation(
                model=self.target.model,
                batch=self.batch,
                finding=finding,
                evidence=self.evidence,
                calls=self.calls,
                seed=self.spec.seed,
            ),
        )
        target, batch, autocast = self._under(made)
        evidence = self._evidence(measure(target, batch, seed=self.spec.seed, autocast=autocast))
        after = judge(evidence.measurement, evidence.ledger, thresholds=self.spec.thresholds).findings
        numbers = reading(finding, self.evidence), reading(finding, evidence)
        outcome, note = measured_outcome(finding, self.findings, after, numbers)
        trial = Trial(
            outcome=outcome,
            before=numbers[0].value if numbers[0] else None,
            after=numbers[1].value if numbers[1] else None,
            unit=numbers[0].unit if numbers[0] else "",
            note="; ".join(filter(None, (note, *_changes(made, self.target.model, target.model)))),
        )
        self._made[remedy.id] = made, evidence.measurement.loss
        if outcome in ("fixed", "helps") and made.loss_scale == 1.0:  # a scale is undone before the step
            trial = self._compared(trial, made, evidence.measurement.loss)
        if outcome in ("fixed", "helps") and (made.edits or made.targets is not None):
            trial = replace(trial, patch=patch_source(made, remedy.title, self.target.name))
        return replace(remedy, trial=trial)

    def _under(self, made: Plan) -> tuple[Target, Any, torch.dtype | None]:
        """The target on a copy that the plan was carried out on, its batch, and what to autocast to."""
        model, batch = copy.deepcopy(self.target.model), self.batch
        for edit in made.edits:
            edit.apply(model)
        if made.targets is not None:
            batch = edits.standardise_targets(batch, made.targets)
        target, autocast = replace(self.target, model=model), self.autocast
        if made.loss_scale != 1.0:
            target = replace(target, forward=_scaled(target.forward, made.loss_scale))
        if made.precision:
            dtype = getattr(torch, made.precision)
            low = low_precision(model, None)
            autocast = None if autocast is None or dtype is torch.float32 else dtype
            if low is not None:
                model.to(dtype)
                batch = tree_map(lambda x: x.to(dtype) if isinstance(x, Tensor) and x.dtype is low else x, batch)
        return target, batch, autocast

    def _compared(self, trial: Trial, made: Plan, start: float) -> Trial:
        """The trial with what training comes to; where it is worse also after more steps, so is the outcome."""
        first = self._trained(trial, made, start, STEPS)
        return self._trained(trial, made, start, LONGER) if first.outcome == "worse" else first

    def _confirmed(self, remedy: Remedy) -> Remedy:
        """A remedy that fixes its finding, after more steps than the others."""
        made, start = self._made[remedy.id]
        if remedy.trial.steps == LONGER or made.loss_scale != 1.0:
            return remedy
        return replace(remedy, trial=self._trained(remedy.trial, made, start, LONGER))

    def _trained(self, trial: Trial, made: Plan, start: float, steps: int) -> Trial:
        """The trial with what so many steps come to, as far as there is time; `start` is the loss before the first."""
        if not self._time_for(2 * steps):
            return trial
        target, batch, autocast = self._under(made)
        trained = train(target, target.model, batch, self.recipe, self.spec.seed, steps, autocast)
        without = self._without(self.recipe, steps)
        trial = replace(trial, steps=steps, loss_without=without, loss_with=trained)
        if made.targets is not None or trained_outcome(without, trained, start) != "worse":
            return trial  # on other targets the losses do not compare
        note = f"{steps} steps of training end at a higher loss"
        return replace(trial, outcome="worse", note="; ".join(filter(None, (note, trial.note))))

    def _without(self, recipe: Recipe, steps: int = STEPS) -> float:
        """Where training ends without any remedy."""
        if (recipe, steps) not in self._untreated:
            model = copy.deepcopy(self.target.model)
            trained = train(self.target, model, self.batch, recipe, self.spec.seed, steps, self.autocast)
            self._untreated[recipe, steps] = trained
        return self._untreated[recipe, steps]

    # -- remedies that act through training

    def _practised(self, finding: Finding, remedy: Remedy) -> Remedy:
        lr = self.spec.lr or 0.01
        base = Recipe(optimizer=self.spec.optimizer, lr=lr)
        habit = HABITS[remedy.id](self.evidence, finding, base)
        without = self._without(base)
        results = [(self._ended(recipe), recipe) for recipe in habit.recipes]
        (trained, model), recipe = min(results, key=lambda found: found[0][0])
        trial = Trial(
            outcome=trained_outcome(without, trained, self.evidence.measurement.loss),
            before=without,
            after=trained,
            unit=f"loss after {STEPS} steps of {base.optimizer.value.upper()}({lr:g})",
            steps=STEPS,
            loss_without=without,
            loss_with=trained,
            note=habit.note(recipe, model),
        )
        return replace(remedy, trial=trial, code=habit.code(recipe))

    def _ended(self, recipe: Recipe) -> tuple[float, nn.Module]:
        model = copy.deepcopy(self.target.model)
        return train(self.target, model, self.batch, recipe, self.spec.seed, autocast=self.autocast), model

    def _evidence(self, measurement: Measurement) -> Evidence:
        return Evidence(measurement=measurement, ledger=account_for(measurement), thresholds=self.spec.thresholds)


def _changes(made: Plan, before: nn.Module, after: nn.Module) -> Iterator[str]:
    yield from dict.fromkeys(edit.changes for edit in made.edits)
    if made.loss_scale != 1.0:
        yield f"the loss times {made.loss_scale:,.0f}"
    if made.targets is not None:
        yield "scales the targets"
    more = sum(p.numel() for p in after.parameters()) - sum(p.numel() for p in before.parameters())
    if more:
        yield f"{more:+,} parameters"


def _scaled(forward: Callable[[nn.Module, Any], Pass], scale: float) -> Callable[[nn.Module, Any], Pass]:
    def scaled(model: nn.Module, batch: Any) -> Pass:
        result = forward(model, batch)
        return replace(result, loss=result.loss * scale)

    return scaled


def _told(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__
