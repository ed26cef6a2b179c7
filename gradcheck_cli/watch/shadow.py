"""`--shadow`: a copy that is trained on the last batches of a run, after the script has ended.

THEORY.md, section 7. Nothing may be trained beside a live run, so what that leaves open is tried when it is over: from
the parameters and the optimiser's state of some tens of steps before the end the copy makes the run's own updates, each
from the gradients of its one batch alone and with a tenth of the learning rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.shadow import LEAST_STEPS, TENTH, Shadowed
from gradcheck_cli.records.timeline import Vital
from gradcheck_cli.watch.accumulation import is_averaged
from gradcheck_cli.watch.attempts import Attempt
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.copyupdate import copied_from, step, why_not
from gradcheck_cli.watch.diagnosing import Diagnosing, Seen, shown_line
from gradcheck_cli.watch.entries import data_of
from gradcheck_cli.watch.inputmemory import Inputs, inputs_of, is_much
from gradcheck_cli.watch.replay import step_of
from gradcheck_cli.watch.retrying import why_no_pass
from gradcheck_cli.watch.session import Session
from gradcheck_cli.watch.snapshots import Snapshot, snapshot_of
from gradcheck_cli.watch.tape import Tape
from gradcheck_cli.watch.updatetrial import taken

_STEPS = 32
"""Steps of one stretch. Two are kept, so that the copy makes 33 to 64 updates."""
_SHARE = 0.1
"""Of a device's peak, what the batches of one stretch may keep of it: the user has asked for that."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """One step: the passes that its update is made of, their mean loss, and the rate of each group."""

    step: int
    own_step: int
    backwards: tuple[Backward, ...]
    loss: float
    rates: tuple[float, ...]

    @property
    def moved(self) -> bool:
        """Whether a batch was written into since it was used."""
        return any(data.moved for each in self.backwards for entry in each.entries for data in data_of(entry))


@dataclass(slots=True)
class _Stretch:
    """Some steps after each other, and what the first of them starts from."""

    start: Snapshot
    kept: list[_Kept] = field(default_factory=list)
    inputs: Inputs = field(default_factory=dict)

    @property
    def full(self) -> bool:
        return len(self.kept) >= _STEPS or is_much(self.inputs, _SHARE)


class ShadowTraining:
    """Keeps the last batches of a run, and trains a copy on them when it is over.

    Args:
        options: `shadow` switches it.
        session: Where it is told what came of it.
        tape: The tape of the run; it is quiet meanwhile.
        diagnosing: Counts the time that it takes.
    """

    def __init__(self, options: RunOptions, session: Session, tape: Tape, diagnosing: Diagnosing) -> None:
        self._on, self._session, self._tape, self._diagnosing = options.shadow, session, tape, diagnosing
        self._stretches: list[_Stretch] = []
        self._attempt: Attempt | None = None
        self._why = ""
        self._over = False

    def seen(self, vital: Vital, attempt: Attempt | None, seen: Sequence[Seen]) -> None:
        """A step was read, and its update is about to be made; the first that is not finite is the last kept."""
        if not self._on or self._why or self._over or vital.skipped:
            return
        if attempt is None and self._stretches:  # the script ended before this update
            self._over = True
            return
        self._why = self._why_not(attempt, seen)
        if self._why or attempt is None or vital.loss is None:
            self._stretches.clear()
            return
        if self._stretches and self._stretches[-1].kept[-1].moved:  # a loop that fills the same tensors anew
            self._tape.live.copying = True
            self._stretches.clear()
        self._over = not vital.finite
        if not self._stretches or self._stretches[-1].full:
            if self._over:
                return
            self._stretches = [*self._stretches[-1:], _Stretch(snapshot_of(vital.step, attempt))]
        backwards = tuple(each.backward for each in seen)
        stretch, self._attempt = self._stretches[-1], attempt
        stretch.kept.append(_Kept(vital.step, attempt.own_step, backwards, vital.loss, _rates(attempt.optimizer)))
        stretch.inputs.update(item for each in backwards for item in inputs_of(each).items())

    def _why_not(self, attempt: Attempt | None, seen: Sequence[Seen]) -> str:
        if self._attempt is not None and attempt is not None and self._attempt.optimizer is not attempt.optimizer:
            return "several optimisers make updates, and what one learns depends on the others"
        if any(is_averaged(each.backward) for each in seen):
            return "gradients are averaged over processes, whose batches are not here"
        return why_not(attempt) or why_no_pass(seen)

    def end(self, clipped: float | None) -> None:
        """The script has ended: train the copy, and tell what came of it.

        Args:
            clipped: The norm that the run clips gradients to.
        """
        if self._on:
            self._session.say("shadowed", shadowed=self._diagnosing.timed(lambda: self._trained(clipped)))
            self._stretches.clear()

    def _trained(self, clipped: float | None) -> Shadowed:
        kept = [each for stretch in self._stretches for each in stretch.kept]
        why = self._why
        if not why and len(kept) < LEAST_STEPS:
            why = f"{len(kept)} steps were kept, and a copy needs {LEAST_STEPS}"
        if why or self._attempt is None:
            return Shadowed(why=why)
        attempt = self._attempt
        told = Shadowed(
            first=kept[0].step,
            last=kept[-1].step,
            optimizer=attempt.number,
            own_step=kept[-1].own_step,
            kind=type(attempt.optimizer).__name__,
            rate=max(kept[-1].rates, default=None),
            run=tuple(each.loss for each in kept),
            clipped=clipped,
            made_at=shown_line(attempt.made_at),
        )
        losses: list[float] = []
        try:
            with self._tape.quiet():
                for loss in self._losses(attempt, kept, clipped):
                    losses.append(loss)
                    if losses[0] != kept[0].loss:
                        why = "the first batch costs something else when it is taken again"
                        break
        except Exception as error:  # the user's code, with parameters that it never had
            why = f"batch {len(losses) + 1} could not be taken again: {type(error).__name__}"
        passes = 2 * sum(len(each.backwards) for each in kept[: len(losses)])
        return replace(told, why=why, passes=passes, copy=() if why else tuple(losses))

    def _losses(self, attempt: Attempt, kept: Sequence[_Kept], clipped: float | None) -> Iterator[float]:
        """The loss of each batch, before the copy makes its update of it."""
        held = list(attempt.parameters())
        start = self._stretches[0].start.start({}, {id(p): p.detach() for p in held})
        copied, clones = copied_from(attempt.optimizer, start)
        for each in kept:
            steps = [step_of(backward, self._tape.naming) for backward in each.backwards]
            loss, gradients = taken(held, {key: clone.detach() for key, clone in clones.items()}, steps)
            yield loss
            if attempt.scaler is not None and not all(bool(torch.isfinite(x).all()) for x in gradients.values()):
                continue  # as the scaler would
            for key, clone in clones.items():
                clone.grad = gradients.get(key)
            if clipped is not None:
                clip_grad_norm_(clones.values(), clipped)
            for group, rate in zip(copied.param_groups, each.rates, strict=False):
                group["lr"] = _as(group["lr"], TENTH * rate)
            step(copied)


def _rates(optimizer: Optimizer) -> tuple[float, ...]:
    return tuple(float(group["lr"]) for group in optimizer.param_groups if "lr" in group)


def _as(own: float | Tensor, rate: float) -> float | Tensor:
    """A rate as the optimiser has its own."""
    return torch.full_like(own, rate) if isinstance(own, Tensor) else rate
