"""The sampled vitals: what is too dear to be read at every step (THEORY.md, section 7).

A sample is begun before an update and ended after it: own-batch descent and the size of the update need both sides of
it. The step is repeated without gradients and with its own random state, and nothing of it stays behind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import perf_counter  # as it is now: a script may put its own clock in its place
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gradcheck_cli.records.enquiry import AtChance
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.spec import Step
from gradcheck_cli.runtime.norms import settle
from gradcheck_cli.runtime.passes import loss_alone
from gradcheck_cli.runtime.state import preserved
from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.activity import Activity
from gradcheck_cli.watch.attempts import Attempt
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.copies import Doubled, doubled, still
from gradcheck_cli.watch.diagnosing import Chance, Seen
from gradcheck_cli.watch.isolation import hushed
from gradcheck_cli.watch.loop.batchhistory import BatchHistory, Blocks
from gradcheck_cli.watch.manualupdates import HandUpdate
from gradcheck_cli.watch.replay import NotRepeatable, model_of, step_of
from gradcheck_cli.watch.tape import Tape
from gradcheck_cli.watch.watchedthread import running_beside
from gradcheck_cli.watch.withoutdropout import Undropped

_FIRST = 16
"""The first sampled step. Steps 32, 64, 128, ... are sampled as well, whatever that costs, so that a slow machine comes
to the same verdict. A sample takes three forward passes and their care, about two steps: three in the first hundred."""
_SHARE = 0.5
"""Share of the budget that further samples may take."""
_LIGHT, _MOST_LIGHT = 8, 100
"""Every so many updates it is read how far one moves the weights, without a pass; after so many, half as often."""
_LOOKED = 64
"""Every so many updates it is looked for units that are copies, and at each whole sample."""
_MOST_ELEMENTS = 2**20
"""Elements of the parameters that are copied to see how far an update moves them, 4 MiB of float32."""
Update = Attempt | HandUpdate
"""An update, whoever makes it."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """A sample that waits for its update."""

    attempt: Update
    number: int
    step: Step | None
    loss: float | None
    chance: AtChance | None
    parts: list[Part]
    before: list[Tensor]
    decay: float | None
    doubled: list[Doubled] | None
    blocks: Blocks | None
    backward: Backward
    whole: bool
    started: float


class Sampling:
    """Says when a sample is due, and takes it.

    Args:
        options: `every` and `budget` are read.
        tape: The tape of the run; it is quiet while a step is repeated.
        chance: Measures Lm of a step.
        batches: Knows how batches follow each other.
        taken_back: How often something else took back most of what an optimiser's updates had done.
    """

    def __init__(
        self,
        options: RunOptions,
        tape: Tape,
        chance: Chance,
        batches: BatchHistory,
        taken_back: Callable[[Optimizer], int],
    ) -> None:
        self._batches, self._taken_back = batches, taken_back
        self._every, self._budget = options.every, _SHARE * options.budget / 100
        self._tape, self._chance = tape, chance
        self._next: dict[int, int] = {}
        self._light: dict[int, tuple[int, int]] = {}  # by optimiser: how often, and how many
        self._spent, self._last = 0.0, 0.0
        self._begun: _Begun | None = None

    def before(self, number: int, attempt: Update, seen: Sequence[Seen], elapsed: float) -> None:
        """An update is about to be made.

        Args:
            number: The step's.
            attempt: Which update.
            seen: The backward passes that it is made of.
            elapsed: Seconds since the first step.
        """
        self._begun = None
        if not seen or not all([each.finite for each in seen]):  # noqa: C419 - every step
            return
        is_whole = self._due(number, attempt, elapsed)
        if not is_whole and not self._light_due(attempt):
            return
        started = perf_counter()
        step = self._repeatable(seen) if is_whole else None
        loss = chance = None
        if step is not None:
            with self._tape.quiet(), hushed():
                chance = self._chance(step)
                loss = chance.loss if chance is not None else loss_of(step)
            step = step if loss == seen[-1].loss else None
        with untouched(), torch.no_grad():
            parts = parts_of(attempt)
            before = [part.values.clone() for part in parts]
            decay = decay_of(attempt) if is_whole else None
            blocks = self._batches.blocks() if is_whole else None
            looked = is_whole or attempt.own_step % _LOOKED == 0
            copies = list(doubled([p for p in attempt.parameters() if p.requires_grad])) if looked else None
        spent = perf_counter() - started
        self._begun = _Begun(
            attempt,
            number,
            step,
            loss,
            chance,
            parts,
            before,
            decay,
            copies,
            blocks,
            seen[-1].backward,
            is_whole,
            spent,
        )

    def after(self) -> Sample | None:
        """The update has been made; the sample, where one was begun."""
        begun, self._begun = self._begun, None
        if begun is None:
            return None
        started = perf_counter()
        chance = begun.chance if begun.step else None
        after = undropped = None
        activity = Activity({} if begun.step is None else names_in(begun.step))
        if begun.step is not None:
            with self._tape.quiet(), hushed():
                after = loss_of(begun.step, activity)
                undropped = loss_of(begun.step, Undropped()) if activity.drops else None
        with untouched(), torch.no_grad():
            update, rms, weight = moved(begun.parts, begun.before, begun.attempt)
            copies = None if begun.doubled is None else self._named(still(begun.doubled), begun.backward)
        if begun.whole:
            self._last = begun.started + perf_counter() - started
            self._spent += self._last
        return Sample(
            step=begun.number,
            optimizer=begun.attempt.number,
            loss=begun.loss if begun.step else None,
            after=after,
            undropped=undropped,
            chance=chance.mean if chance is not None else None,
            update=update,
            update_rms=rms,
            weight=weight,
            decay=begun.decay,
            dead=activity.dead,
            saturated=activity.saturated,
            output_rms=activity.output_rms,
            distinguishability=chance.distinguishability if chance is not None else None,
            blocks=begun.blocks.share if begun.blocks else None,
            swing=begun.blocks.swing if begun.blocks else None,
            copies=copies,
            taken_back=self._taken_back(begun.attempt.optimizer) if isinstance(begun.attempt, Attempt) else 0,
        )

    def _named(self, found: Sequence[Doubled], backward: Backward) -> dict[str, float]:
        """Shares of units that are copies, by layer."""
        if not found:
            return {}
        names = {id(p): name for name, p in model_of([backward], self._tape.naming).module.named_parameters()}
        return {names.get(id(w), "").rpartition(".")[0] or "a weight": share for w, share in found}

    def _due(self, number: int, attempt: Update, elapsed: float) -> bool:
        if self._every is not None:
            return number % self._every == 0
        following = self._next.setdefault(attempt.number, _FIRST)
        if attempt.own_step >= following:
            self._next[attempt.number] = 2 * attempt.own_step
            return True
        return attempt.own_step > _FIRST and self._spent + self._last <= self._budget * elapsed

    def _light_due(self, attempt: Update) -> bool:
        every, taken = self._light.setdefault(attempt.number, (_LIGHT, 0))
        if self._every is not None or not self._budget or (attempt.own_step % every and attempt.own_step > 1):
            return False
        taken += 1
        self._light[attempt.number] = (2 * every, 0) if taken == _MOST_LIGHT else (every, taken)
        return True

    def _repeatable(self, seen: Sequence[Seen]) -> Step | None:
        """The step, where it has one loss: an update that is made of several may well raise one of them."""
        backward = seen[-1].backward
        if len(seen) != 1 or seen[-1].loss is None or backward.why or backward.kind != "backward" or running_beside():
            return None
        try:
            return step_of(backward, self._tape.naming)
        except NotRepeatable:
            return None


def loss_of(step: Step, *looking_on: AbstractContextManager[Any]) -> float | None:
    """The loss of a step as the parameters are now, without a loss scale; None where it raises."""
    with preserved(step.target.model, step.batch, getattr(step.target.forward, "loss", None)):
        try:
            loss = loss_alone(step, *looking_on)
        except Exception:  # the user's code, called once more than it reckons with
            return None
        return float(loss.detach()) if loss.numel() == 1 else None


def names_in(step: Step) -> dict[int, str]:
    """The paths of the modules of a step, by their ids."""
    return {id(module): name for name, module in step.target.model.named_modules()}


@dataclass(frozen=True, slots=True)
class Part:
    """The beginning of a parameter, and whether that is a matrix."""

    values: Tensor
    matrix: bool


def parts_of(attempt: Update) -> list[Part]:
    """The beginning of every parameter that gets a gradient, so much of each that all together stay small."""
    held = [p for p in attempt.parameters() if p.grad is not None and _plain(p)]
    most = max(_MOST_ELEMENTS // max(len(held), 1), 1)
    return [Part(_beginning(p.detach(), most), p.dim() > 1) for p in held]


def _beginning(values: Tensor, most: int) -> Tensor:
    if values.is_contiguous():
        return values.view(-1)[:most]
    return values[: max(most * len(values) // values.numel(), 1)]


def _plain(parameter: Tensor) -> bool:
    return (
        parameter.layout is torch.strided
        and type(parameter) in (Tensor, torch.nn.Parameter)
        and parameter.numel() > 0
        and parameter.is_floating_point()
    )


def moved(
    parts: Sequence[Part], before: Sequence[Tensor], attempt: Update
) -> tuple[float | None, float | None, float | None]:
    """|dw| / |w| at most, RMS of dw / lr for optimisers that normalise, and |w|; `before` is written over."""
    if not parts:
        return None, None, None
    weights = _norms(before)
    torch._foreach_sub_(list(before), [part.values for part in parts])  # in their place: there is no need of them
    moved = _norms(before)
    ratios = [(m / w, part.matrix) for m, w, part in zip(moved, weights, parts, strict=True) if w > 0]
    large = [ratio for ratio, matrix in ratios if matrix] or [ratio for ratio, _ in ratios]
    rates = attempt.rates()
    rms = None
    if rates and rates[0] > 0 and attempt.normalises():
        rms = math.hypot(*moved) / math.sqrt(sum(part.values.numel() for part in parts)) / rates[0]
    return max(large, default=None), rms, math.hypot(*weights)


def _norms(tensors: Sequence[Tensor]) -> list[float]:
    if not tensors:
        return []
    wide = torch.float64 if any(x.dtype is torch.float64 for x in tensors) else torch.float32
    return settle(list(torch._foreach_norm(list(tensors), 2, dtype=wide)))


def decay_of(attempt: Update) -> float | None:
    """wd |w| over |g| of the group where that is largest; None without a weight decay, or with a loss scale in g.

    Where the optimiser normalises and keeps the decay out of that (AdamW), the RMS of what it makes of g is about 1.
    """
    if attempt.scaler is not None:
        return None
    found = [_decay(group) for group in attempt.groups() if _is_positive(group.get("weight_decay"))]
    return max((each for each in found if each is not None), default=None)


def _is_positive(value: Any) -> bool:
    return isinstance(value, float | int) and value > 0


def _decay(group: dict[str, Any]) -> float | None:
    held = [p for p in group["params"] if p.grad is not None and _plain(p) and p.grad.layout is torch.strided]
    weights = math.hypot(*_norms([p.detach() for p in held]))
    gradients = math.hypot(*_norms([p.grad.detach() for p in held]))
    if group.get("decoupled_weight_decay"):
        gradients = math.sqrt(sum(p.numel() for p in held))
    return float(group["weight_decay"]) * weights / gradients if gradients > 0 else None
