"""The update of a step that went wrong, made again on a copy: as the run makes it, and in the ways that may cure it.

THEORY.md, section 7, "Trials of a run". Between the backward pass and the update the parameters are those of the step,
so that all is there: what the batch costs after an update is the taped forward pass, repeated with the parameters that
the copy of the optimiser has made.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median, quantiles

import torch
from torch import Tensor

from gradcheck_cli.records.alarmlimits import ALARMING
from gradcheck_cli.records.retrying import HALF, LOWER_RATES, WANTED, Held, Retried, UpdateChange, UpdateVariant
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import AlarmKind, Raised, Replay, Vital
from gradcheck_cli.watch.accumulation import is_averaged
from gradcheck_cli.watch.attempts import Attempt
from gradcheck_cli.watch.copyupdate import UpdateStart, here, why_not
from gradcheck_cli.watch.diagnosing import Diagnosing, Repeated, Seen
from gradcheck_cli.watch.replay import step_of
from gradcheck_cli.watch.scaletrial import LossScales
from gradcheck_cli.watch.session import Session
from gradcheck_cli.watch.snapshots import Snapshot, Snapshots
from gradcheck_cli.watch.tape import Tape
from gradcheck_cli.watch.updatetrial import UpdateTrial

_KINDS = frozenset(
    (
        AlarmKind.LOSS_SPIKE,
        AlarmKind.GRAD_SPIKE,
        AlarmKind.UPDATE_SPIKE,
        AlarmKind.DIVERGING,
        AlarmKind.NONFINITE,
        AlarmKind.STUCK,
        AlarmKind.SWINGING,
        AlarmKind.COLLAPSE,
    )
)
"""Alarms that another update may cure."""
_HIGHER = (10.0, 100.0)
_EPS = (1e2, 1e4)
"""Factors of the optimiser's own: the mildest first, since one update on its own batch flatters what does least."""
_PASSES = 16
"""What a trial of all ways may take, for an update of one backward pass."""
_NORMS, _SIZES = 200, 32
"""Gradient norms, and sizes of updates, of the run's own that are remembered."""
_MOST_PARTS = 8
"""Backward passes of one update up to which it is tried."""


class Retrying:
    """Makes updates again, and tells the session what came of it.

    Args:
        options: `try_budget` switches it, `budget` bounds it, `snapshot` gives it an earlier state.
        session: Where it is told.
        tape: The tape of the run; it is quiet meanwhile.
        diagnosing: Counts the time that it takes.
    """

    def __init__(self, options: RunOptions, session: Session, tape: Tape, diagnosing: Diagnosing) -> None:
        self._on, self._share = options.try_budget > 0, options.budget / 100
        self._session, self._tape, self._diagnosing = session, tape, diagnosing
        self._snapshots = Snapshots(options.snapshot)
        self._norms: dict[int, deque[float]] = {}
        self._sizes: dict[int, deque[float]] = {}
        self._made = self._spent = self._finite = 0
        self._began = False

    def seen(self, vital: Vital, attempt: Attempt | None, passes: int) -> None:
        """A step was read, and its update is about to be made: what later ones are held against."""
        self._made += 2 * passes
        self._finite = vital.step if vital.finite else self._finite
        if vital.grad_norm is not None and vital.finite:
            self._norms.setdefault(vital.optimizer, deque(maxlen=_NORMS)).append(vital.grad_norm)
        if attempt is not None and not attempt.closure:
            self._snapshots.see(vital.step, attempt, finite=vital.finite)

    def made(self, passes: int) -> None:
        """The run has made so many passes, forwards and backwards, of which no more is known."""
        self._made += 2 * passes

    def glanced(self, step: int, attempt: Attempt, passes: int) -> None:
        """A step was finite and as usual, and no more was read of it."""
        self.made(passes)
        self._finite = step
        self._snapshots.see(step, attempt, finite=True)

    def sampled(self, sample: Sample) -> None:
        """The size of an update was read."""
        if sample.update is not None and math.isfinite(sample.update):
            self._sizes.setdefault(sample.optimizer, deque(maxlen=_SIZES)).append(sample.update)

    def alarm(
        self, raised: Raised, vital: Vital, seen: Sequence[Seen], came: Repeated, attempt: Attempt | None
    ) -> None:
        """Try the update of a step that raised an alarm, where the run may still afford it."""
        if not self._on or came.replay is not Replay.EXACT:
            return
        if _is_of_the_scale(raised, came):
            self._try_scales(vital, seen, attempt)
            return
        if raised.kind not in _KINDS or vital.skipped:
            return
        rows = came.samples or ()
        if raised.kind is AlarmKind.NONFINITE and not rows and self._snapshots.of(vital.optimizer) is None:
            self._blame(vital, attempt)  # nothing is to be gained from here
            return
        self._try(vital, seen, rows, attempt, self._not_allowed(seen))

    def _not_allowed(self, seen: Sequence[Seen]) -> str:
        """Why the run cannot afford another trial, which is then told; the first one is free."""
        first, self._began = not self._began, True
        needed, allowed = self._spent + _PASSES * len(seen), int(self._share * self._made)
        if first or needed <= allowed:
            return ""
        return f"--budget allows {allowed} passes by now, and {self._spent} were spent"

    def _try_scales(self, vital: Vital, seen: Sequence[Seen], attempt: Attempt | None) -> None:
        """Try which loss scale fits the gradient of a step that float16 cannot hold."""
        told = Retried(step=vital.step, optimizer=vital.optimizer, why=self._not_allowed(seen) or why_no_pass(seen))
        if not told.why and attempt is not None:
            told = self._diagnosing.timed(lambda: self._scales(told, seen, attempt))
        self._spent += told.passes
        self._session.say("retried", retried=told)

    def _scales(self, told: Retried, seen: Sequence[Seen], attempt: Attempt) -> Retried:
        growth = None if attempt.scaler is None else int(attempt.scaler.get_growth_interval())
        with self._tape.quiet():
            steps = [step_of(each.backward, self._tape.naming) for each in seen]
            scales = LossScales(steps, list(attempt.parameters()))
            try:
                found = scales.tried(seen[-1].scale, growth)
            except Exception as error:  # the user's code, taken once more
                return replace(told, why=f"the step could not be taken again: {type(error).__name__}")
        return replace(told, scales=found, scaled=attempt.scaler is not None, passes=scales.passes)

    def _blame(self, vital: Vital, attempt: Attempt | None) -> None:
        """Say where parameters that are not finite come from."""
        if attempt is not None and not _all_finite(here(attempt).values):
            told = Retried(step=vital.step, optimizer=vital.optimizer, why=self._left(vital.step))
            self._session.say("retried", retried=told)

    def _left(self, step: int) -> str:
        last = f"the update of step {step - 1}" if self._finite == step - 1 else "earlier updates"
        return f"{last} left parameters that are not finite; --snapshot 1 keeps what was before"

    def asked(self, vital: Vital, seen: Sequence[Seen], came: Repeated | None, attempt: Attempt | None) -> None:
        """Try the update of a step that was asked for."""
        if self._on and came is not None and came.replay is Replay.EXACT and not vital.skipped:
            self._try(vital, seen, (), attempt, "")

    def _try(
        self, vital: Vital, seen: Sequence[Seen], rows: tuple[int, ...], attempt: Attempt | None, why: str
    ) -> None:
        told = Retried(step=vital.step, optimizer=vital.optimizer, why=why or why_not(attempt) or why_no_pass(seen))
        if attempt is not None:
            told = replace(told, kind=type(attempt.optimizer).__name__, rate=attempt.rate)
        if not told.why and attempt is not None:
            told = self._diagnosing.timed(lambda: self._tried(told, seen, rows, attempt))
        self._spent += told.passes
        self._session.say("retried", retried=told)

    def _tried(self, told: Retried, seen: Sequence[Seen], rows: tuple[int, ...], attempt: Attempt) -> Retried:
        sizes = self._sizes.get(attempt.number, ())
        told = replace(
            told,
            scaled=attempt.scaler is not None,
            usual=median(sizes) if len(sizes) >= ALARMING.samples else None,
        )
        with self._tape.quiet():
            averaged = any(is_averaged(each.backward) for each in seen)
            steps = [step_of(each.backward, self._tape.naming) for each in seen]
            trial = UpdateTrial(attempt, steps, rows, averaged=averaged)
            try:
                told = self._from_somewhere(trial, told, seen)
            except Exception as error:  # the user's code, with parameters that it never had
                told = replace(told, why=f"the step could not be taken again: {type(error).__name__}")
        return replace(told, passes=trial.passes)

    def _from_somewhere(self, trial: UpdateTrial, told: Retried, seen: Sequence[Seen]) -> Retried:
        """The trials from here, or from a snapshot where the parameters of before cost far less."""
        snapshot, start = self._snapshots.of(told.optimizer), here(trial.attempt)
        finite = _all_finite(start.values)
        if finite and not _is_same(trial.loss(None, trial.steps), _mean(seen)):
            return replace(told, why="the batch costs something else when it is taken again without gradients")
        if snapshot is not None and snapshot.step < told.step:
            told, start = self._since(snapshot, trial, told, start)
        if told.start is None and not finite:
            return replace(told, why=self._left(told.step))
        loss, first = (
            trial.loss(start.values, trial.witness),
            trial.make(start, UpdateVariant(change=UpdateChange.AS_RUN)),
        )
        told = replace(told, loss=loss, rows=trial.rows, tried=(first,))
        for ways in self._ways(told, trial, start):
            for each in ways:
                told = replace(told, tried=(*told.tried, trial.make(start, each)))
                if told.outcome(told.tried[-1]) == "fixed":
                    break
        return replace(told, tried=(*told.tried, *self._untried(told)))

    def _untried(self, told: Retried) -> Sequence[UpdateVariant]:
        """A threshold of clipping, which is known all the same where this one update needs none."""
        return () if told.harms or told.moves_nothing else self._clipping(told.optimizer)[:1]

    def _since(
        self, snapshot: Snapshot, trial: UpdateTrial, told: Retried, start: UpdateStart
    ) -> tuple[Retried, UpdateStart]:
        """What the batch costs with the parameters of before; the start is there if that is less than half.

        Gradients that are averaged over processes cannot be had from there.
        """
        like = start.values
        now, then = trial.loss(None, trial.steps), trial.loss(snapshot.on(like), trial.steps)
        told = replace(told, held=Held(step=snapshot.step, loss=then, now=now))
        if then is None or not math.isfinite(then) or not _is_far_above(now, then) or trial.averaged:
            return told, start
        gradients = trial.gradients(snapshot.on(like), trial.steps)
        return replace(told, start=snapshot.step), snapshot.start(gradients, like)

    def _ways(self, told: Retried, trial: UpdateTrial, start: UpdateStart) -> Iterator[Sequence[UpdateVariant]]:
        """What is tried after the update as the run makes it, kind by kind, each from the mildest on."""
        size = told.tried[0].size
        if told.rows and not trial.averaged:
            yield (UpdateVariant(change=UpdateChange.WITHOUT_ROWS),)
        if told.harms and told.loss is not None and math.isfinite(told.loss) and _all_finite(start.gradients):
            yield [UpdateVariant(change=UpdateChange.LOWER_RATE, amount=factor) for factor in LOWER_RATES]
            yield self._clipping(told.optimizer)
            yield _larger_eps(trial.attempt)
            yield [UpdateVariant(change=UpdateChange.ANEW)] if _normalises(trial.attempt) and start.state else []
        elif told.moves_nothing and size:
            enough = float(f"{WANTED / size:.0e}")
            yield [
                UpdateVariant(change=UpdateChange.HIGHER_RATE, amount=each)
                for each in (*_HIGHER, enough)
                if each <= enough
            ]

    def _clipping(self, optimizer: int) -> Sequence[UpdateVariant]:
        """At norms that shorten a tenth and half of the run's own steps."""
        norms = self._norms.get(optimizer, ())
        if len(norms) < ALARMING.warm_up:
            return ()
        limits = [float(f"{limit:.2g}") for limit in (quantiles(norms, n=10)[-1], median(norms))]
        shares = [sum(norm > limit for norm in norms) / len(norms) for limit in limits]
        return [
            UpdateVariant(change=UpdateChange.CLIPPED, amount=x, share=s) for x, s in zip(limits, shares, strict=True)
        ]


def _is_of_the_scale(raised: Raised, came: Repeated) -> bool:
    """Whether float16 is what went wrong: a GradScaler that does not settle, or gradients that are flushed to 0."""
    if raised.kind is AlarmKind.SCALE_COLLAPSE or (raised.kind is AlarmKind.OVERFLOW and "again" in raised.evidence):
        return True
    findings = came.report.findings if came.report is not None else ()
    return raised.kind is AlarmKind.STUCK and any(each.cause == "fp16-underflow" for each in findings)


def why_no_pass(seen: Sequence[Seen]) -> str:
    """Why the backward passes of an update cannot be taken again; empty where they can."""
    if len(seen) > _MOST_PARTS:
        return f"the update is made of {len(seen)} backward passes"
    if any(each.backward.why or each.loss is None or each.backward.kind != "backward" for each in seen):
        return "a backward pass of the update cannot be taken again"
    return ""


def _all_finite(tensors: Mapping[int, Tensor]) -> bool:
    return all(bool(torch.isfinite(x).all()) for x in tensors.values())


def _is_same(loss: float | None, other: float) -> bool:
    return loss == other or (loss is not None and math.isnan(loss) and math.isnan(other))


def _is_far_above(loss: float | None, other: float) -> bool:
    return loss is None or not math.isfinite(loss) or loss - other > HALF * abs(loss)


def _mean(seen: Sequence[Seen]) -> float:
    return sum(each.loss or 0.0 for each in seen) / len(seen)


def _normalises(attempt: Attempt) -> bool:
    return any("exp_avg_sq" in state for state in attempt.optimizer.state.values())


def _larger_eps(attempt: Attempt) -> Sequence[UpdateVariant]:
    eps = [group["eps"] for group in attempt.optimizer.param_groups if isinstance(group.get("eps"), float)]
    return (
        [UpdateVariant(change=UpdateChange.EPS, amount=float(f"{max(eps) * factor:.1g}")) for factor in _EPS]
        if eps
        else ()
    )
