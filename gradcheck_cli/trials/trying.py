"""Try every remedy that can be tried, until the budget is spent; read `try_remedies` first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import Decision, Family, Severity
from gradcheck_cli.records.judging import JudgedStep
from gradcheck_cli.records.report import Finding, Remedy, Trial
from gradcheck_cli.records.spec import CheckSpec, Step
from gradcheck_cli.runtime.modelcopy import NotIndependent
from gradcheck_cli.runtime.passes import RaisedByUser, cut_off
from gradcheck_cli.runtime.state import preserved
from gradcheck_cli.trials.bench import Bench
from gradcheck_cli.trials.budget import LATE, Budget, OutOfBudget, too_costly
from gradcheck_cli.trials.edittrials import EditTrial, confirmed, edited
from gradcheck_cli.trials.opinions import Opinions, decided
from gradcheck_cli.trials.outcome import Yardstick, ranked
from gradcheck_cli.trials.recipes import HABITS
from gradcheck_cli.trials.torchcalls import NothingToActOn, NotTriable, recorded_calls
from gradcheck_cli.trials.trainingtrials import TrainingTrial, practised

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence
    from gradcheck_cli.trials.bench import Chance, Diagnose

FINALISTS = 2
"""The best remedies of a finding, which are trained for longer."""
INTERRUPTED = "the trials of remedies were interrupted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reporting:
    """Who is told how far the trials are.

    Attributes:
        stage: Is told what is tried, as (stage, done, of); again before each step of training.
        tried: Is given all findings as they stand, after each trial.
    """

    stage: Callable[..., None]
    tried: Callable[[tuple[Finding, ...]], None]


def try_remedies(
    step: Step,
    spec: CheckSpec,
    diagnosed: JudgedStep[Evidence],
    diagnose: Diagnose,
    chance: Chance,
    ill: Sequence[Finding],
    reporting: Reporting,
    budget: Budget | None = None,
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """All findings, those that are `ill` with their remedies tried on copies of the model and ranked, and notes.

    Those of them that are suspicions are decided by training, which may change how grave they are. Trials take what is
    left of `budget`, else `spec.try_budget` passes at most, in the order of the findings and of their remedies. The
    model comes back as it was. An interrupt ends the trials and keeps what is known.
    """
    findings, evidence = diagnosed.verdict.findings, diagnosed.evidence
    if not ill or spec.try_budget <= 0:
        return findings, ()
    if why := too_costly(step.target.model, evidence.measurement.seconds):
        return tuple(_untried(f, why) for f in findings), (f"no remedy was tried: {why}",)
    tried = {id(f): f for f in findings}
    step = replace(step, batch=cut_off(step.batch))

    def note(finding: Finding, now: Finding) -> None:
        tried[id(finding)] = now
        reporting.tried(tuple(tried[id(f)] for f in findings))

    ward = _Ward(sum(len(f.remedies) for f in ill), reporting.stage, note)
    try:
        with preserved(step.target.model, step.batch, getattr(step.target.forward, "loss", None)) as state:
            bench = Bench(
                step=step,
                diagnosed=diagnosed,
                diagnose=diagnose,
                chance=chance,
                calls=recorded_calls(step, evidence.measurement),
                optimizer=spec.optimizer,
                lr=spec.lr,
                budget=budget or Budget(spec.try_budget),
                beat=ward.beat,
                rewind=state.restore,
                keeps=any(finding.opinion for finding in ill),
            )
            opinions = Opinions(bench)
            for finding in ill:
                tried[id(finding)] = ward.treated(bench, opinions, finding)
    except KeyboardInterrupt:
        return findings, (INTERRUPTED,)
    except BaseException as error:
        why = _told(error)
        return tuple(_untried(tried[id(f)], why) for f in findings), (f"no remedy was tried: {why}",)
    return tuple(tried[id(f)] for f in findings), ward.notes(bench.budget)


class _Ward:
    """Goes from finding to finding, tries their remedies, keeps count, and tells each finding as it stands."""

    def __init__(
        self, remedies: int, on_stage: Callable[..., None], on_tried: Callable[[Finding, Finding], None]
    ) -> None:
        self._remedies, self._on_stage, self._on_tried = remedies, on_stage, on_tried
        self._begun = self._late = 0
        self._stage = ""
        self._interrupted = False

    def beat(self) -> None:
        """Tell again what is being tried."""
        self._on_stage(self._stage, self._begun, self._remedies)

    def notes(self, budget: Budget) -> tuple[str, ...]:
        """What was left out, and whether another run may come farther."""
        if self._interrupted:
            return (INTERRUPTED,)
        if budget.struck:
            return (f"trials were ended by the clock after {budget.clock:g} s: another run may try more, or fewer",)
        left = f"{self._late} remedies were not tried within {budget.passes} passes; --try-budget gives more"
        return (left,) if self._late else ()

    def treated(self, bench: Bench, opinions: Opinions, finding: Finding) -> Finding:
        """The finding, decided where it is a suspicion, with its remedies tried where it is none or not refuted.

        The best remedy comes first; an interrupt keeps what is known.
        """
        now = finding
        tried = {remedy.id: remedy for remedy in finding.remedies}
        yardstick = _yardstick(bench, finding)
        made: dict[str, EditTrial | TrainingTrial] = {}
        try:
            if finding.opinion is not None and not self._interrupted:
                now = self._decided(bench, finding, lambda: opinions.untreated(finding), "no remedy")
                self._on_tried(finding, now)
            if self._interrupted or _is_settled(now):
                return now
            for remedy in finding.remedies:
                try:
                    tried[remedy.id] = self._tried(bench, finding, remedy, made)
                except NothingToActOn as why:
                    _drop(bench, tried, remedy, str(why))
                self._on_tried(finding, replace(now, remedies=ranked(list(tried.values()), yardstick)))
            _confirm(bench, tried, made, yardstick)
            now = replace(now, remedies=ranked(list(tried.values()), yardstick))
            if now.opinion is not None and now.opinion.decision is Decision.NOT_TRIED:
                best = [made[r.id] for r in now.remedies if r.id in made]
                now = self._decided(bench, now, lambda: opinions.treated(now, best), "the best remedies")
        except KeyboardInterrupt:
            self._interrupted = True
            return replace(now, remedies=ranked(list(tried.values()), yardstick))
        return now

    def _decided(self, bench: Bench, finding: Finding, decide: Callable[[], Finding], under: str) -> Finding:
        self._stage = f"trying: longer training with {under}"
        self.beat()
        try:
            return decide()
        except KeyboardInterrupt:
            raise
        except OutOfBudget:
            return decided(finding, Decision.NOT_TRIED, bench.budget.spent)
        except BaseException as error:
            return decided(finding, Decision.UNDECIDED, f"training it ends in {_told(error)}")

    def _tried(
        self, bench: Bench, finding: Finding, remedy: Remedy, made: dict[str, EditTrial | TrainingTrial]
    ) -> Remedy:
        self._begun += 1
        self._stage = f"trying: {remedy.title}"
        self.beat()
        try:
            bench.rewind()
            made[remedy.id] = (practised if remedy.id in HABITS else edited)(bench, finding, remedy)
            return made[remedy.id].remedy
        except (KeyboardInterrupt, NothingToActOn):
            raise
        except OutOfBudget:
            self._late += 1
            return replace(remedy, trial=Trial(note=LATE))
        except BaseException as error:  # the user's code on a model that it was not written for
            return replace(remedy, trial=Trial(note=_told(error)))


def _untried(finding: Finding, why: str) -> Finding:
    """A finding that was not tried, with the reason if it is a suspicion."""
    if finding.opinion is None or finding.opinion.told:
        return finding
    return decided(finding, Decision.NOT_TRIED, why)


def _is_settled(finding: Finding) -> bool:
    """Whether a suspicion was decided, or cannot be, and is no illness."""
    return finding.severity is Severity.NOTE and finding.opinion is not None and bool(finding.opinion.told)


def _yardstick(bench: Bench, finding: Finding) -> Yardstick:
    """What trained losses are held against: the model's own, and where that exploded what no prediction costs."""
    loss = abs(bench.diagnosed.evidence.measurement.loss)
    if finding.family is Family.EXPLODING:
        return Yardstick(nothing=bench.diagnosed.evidence.enquiry.zeroed)
    return Yardstick(unit=loss if 0 < loss < math.inf else None)


def _drop(bench: Bench, tried: dict[str, Remedy], remedy: Remedy, why: str) -> None:
    """Leave out what cannot apply, unless nothing would be left, or it is not known what the model calls."""
    if bench.calls and len(tried) > 1:
        del tried[remedy.id]
    else:
        tried[remedy.id] = replace(remedy, trial=Trial(note=why))


def _confirm(
    bench: Bench, tried: dict[str, Remedy], made: dict[str, EditTrial | TrainingTrial], yardstick: Yardstick
) -> None:
    """Train for longer the first by its place that fixes the finding, then the best, until they stand it."""
    done: set[str] = set()
    while True:
        best = ranked(list(tried.values()), yardstick)[:FINALISTS]
        by_place = [r for r in tried.values() if r.trial.outcome == "fixed"][:1]
        waiting = [r for r in (*by_place, *best) if r.trial.outcome == "fixed" and r.id not in done]
        if not waiting:
            return
        name = waiting[0].id
        done.add(name)
        if isinstance(treatment := made[name], EditTrial):
            made[name] = confirmed(bench, treatment)
            tried[name] = made[name].remedy


def _told(error: BaseException) -> str:
    if isinstance(error, (NotTriable, NotIndependent)):
        return str(error)
    if isinstance(error, RaisedByUser):
        error = error.error
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__
