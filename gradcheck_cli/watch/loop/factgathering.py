"""Gathers the facts of every attempted update from the calls, the gradients and the parameters."""

from __future__ import annotations

import linecache
import re
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.accumulation import Accumulation, dense
from gradcheck_cli.watch.attempts import Attempt, Updates
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.diagnosing import Seen
from gradcheck_cli.watch.entries import data_of
from gradcheck_cli.watch.loop.batchhistory import BatchHistory
from gradcheck_cli.watch.loop.calls import Clip, Line, LoopCalls, random_state
from gradcheck_cli.watch.loop.facts import Facts, Holding
from gradcheck_cli.watch.loop.gradients import Gradients
from gradcheck_cli.watch.loop.holdings import BackwardProbe, Holdings
from gradcheck_cli.watch.loop.idle import Idle
from gradcheck_cli.watch.loop.initialised import InitialisedParameters
from gradcheck_cli.watch.loop.inspection import InspectionSchedule
from gradcheck_cli.watch.loop.labels import Labels
from gradcheck_cli.watch.loop.modes import Modes
from gradcheck_cli.watch.loop.movement import MovementCheck
from gradcheck_cli.watch.loop.signs import MANY, ROW, comes_by_class
from gradcheck_cli.watch.loop.targetsource import target_made_at
from gradcheck_cli.watch.loop.undone import Undone
from gradcheck_cli.watch.replay import line_of
from gradcheck_cli.watch.tape import Tape

_ITER = re.compile(r"\biter\(")
"""Who loops over a loader and breaks off wants one batch; who asks for an iterator at every step wants the next."""
_GRAPHS = 12
"""Updates since an optimiser first stepped, over all of them, before which the graph is looked at."""
_OPTIMIZERS = 16
"""Optimisers for which that is done: a loop may make one at every step."""

_RELOOK = 8
"""Updates after which targets that changed nothing are looked at again, where it is looked closely."""


@dataclass(slots=True)
class _Own:
    """What is known of one optimiser's last update: how much there had been by then."""

    passes: int = 0
    order: int = 0
    scaled: int = 0
    batch: Any = None
    seed: Any = None
    restored: int = 0
    step: int = 0
    moving: MovementCheck = field(default_factory=MovementCheck)
    undone: Undone = field(default_factory=Undone)


class Brief(NamedTuple):
    """What is told of every update, without looking closely.

    Attributes:
        rate: The optimiser's highest learning rate; None where it is not known.
        skipped: Whether the GradScaler skips the update.
        clip: How its gradients were clipped after the last backward pass.
    """

    rate: float | None
    skipped: bool
    clip: Clip | None


class FactGatherer:
    """Looks at one process's loop: closely at first, and where `InspectionSchedule` asks for it.

    Args:
        tape: Tells of modules that are called.
        updates: Knows the optimisers.
        accumulation: Knows what gradients are made of.
        is_ours: Whether what is done now is done by the thread that is watched.
        guarded: Inside, nothing that goes wrong reaches the script.
        asked: Takes backward passes again, to see what a loss and a gradient depend on.
        batches: Remembers what batches are made of.
    """

    def __init__(
        self,
        tape: Tape,
        updates: Updates,
        accumulation: Accumulation,
        is_ours: Callable[[], bool],
        guarded: AbstractContextManager[None],
        asked: BackwardProbe,
        batches: BatchHistory,
    ) -> None:
        self._tape, self._updates, self._accumulation = tape, updates, accumulation
        self._batches = batches
        self._guarded = guarded
        self.calls = LoopCalls(is_ours, guarded)
        self.inspection = InspectionSchedule()
        self._kind: tuple[Any, ...] = ()
        self._asked = False  # whether the facts of the update that is being made were
        self._gradients = Gradients(accumulation)
        self.drawn = InitialisedParameters(is_ours, guarded)
        self._holdings = Holdings(tape.naming, asked, self.drawn.as_drawn)
        self._modes = Modes(self.calls)
        self._labels = Labels()
        self.idle = Idle(updates)
        self._own: weakref.WeakKeyDictionary[Optimizer, _Own] = weakref.WeakKeyDictionary()
        self._heard: weakref.WeakKeyDictionary[nn.Module, bool] = weakref.WeakKeyDictionary()
        self._ignoring: set[int] = set()  # optimisers whose targets changed nothing
        self._seen = 0
        self._reached_at = self._unsure = self._attached = self._scaled = 0
        self._began_from: int | None = None
        self._last: tuple[weakref.ref[Optimizer], Line | None, frozenset[int]] | None = None

    def forward(self) -> None:
        """An outermost module is about to be called."""
        if self.calls.seeded is not None and self._began_from is None:
            with self._guarded:
                self._began_from = random_state()

    def began(self, backward: Backward) -> None:
        """A backward pass is about to run, and the accumulation has been told."""
        self.calls.passes += 1
        if self.inspection.close:
            self._gradients.began(backward)
        self._labels.began(backward)
        self._batches.began(backward)
        if backward.kind != "backward" or (backward.why and not backward.rootless):
            self._unsure = self.calls.passes
        if self._seen < _GRAPHS and self._holdings.began(backward, self.calls.scaled):
            self._scaled += 1

    def ended(self, backward: Backward) -> None:
        """It has run."""
        self.calls.order += 1
        self.idle.ended(backward)
        self._batches.ended(backward)
        if not self.inspection.close or self._gradients.ended(backward):
            self._reached_at = self.calls.order
            self._attached = self.calls.passes

    def brief(self, attempt: Attempt, seen: Sequence[Seen]) -> Brief:
        """What is told of every update that is about to be made, or that has been; `facts` is for some.

        Args:
            attempt: The update.
            seen: The backward passes that it is made of.
        """
        own, calls = self._own.get(attempt.optimizer), self.calls
        if own is not None and not attempt.closure and own.step == attempt.own_step - 1:
            own.undone.updating()
        before = own.passes if own is not None else 0
        clips = [clip for clip in calls.clips if clip.passes > before] if calls.clips else []
        mine = (c for c in reversed(clips) if any(id(p) in c.parameters for p in attempt.parameters()))
        clip = next(mine, None) if clips else None
        at, line = calls.cleared
        given = self._labels.given
        self._kind = (
            attempt.number,
            attempt.asked_at,
            attempt.closure,
            attempt.scaler is None,
            calls.passes - before,
            tuple([_kind_of(each.backward) for each in seen]),
            self._accumulation.clean,
            (line, at > self._reached_at),
            clip.line if clip is not None else None,
            len(calls.clips) > len(clips),
            bool(calls.restarts),
            calls.seeded is None,
            given is not None and given.seen >= MANY,
            comes_by_class(self._labels.order.by_class),
            all(p.grad is None for p in attempt.parameters()),
        )
        skipped = attempt.scaler is not None and bool(seen) and not seen[-1].finite
        return Brief(attempt.rate, skipped, clip)

    def is_close(self, attempt: Attempt) -> bool:
        """Whether the facts of this update are wanted: those of an optimiser's first one are."""
        own = self._own.get(attempt.optimizer)
        return self.inspection.close or own is None or own.moving.may_be_over(list(attempt.parameters()))

    def facts(self, attempt: Attempt, seen: Sequence[Seen], step: int) -> Facts:
        """What is known of an update that is about to be made; or that has been, where the backward pass runs inside.

        Args:
            attempt: The update.
            seen: The backward passes that it is made of.
            step: Its number over all optimisers.
        """
        optimizer, calls, gradients = attempt.optimizer, self.calls, self._gradients
        self._asked = True
        own = self._own.setdefault(optimizer, _Own())
        held = list(attempt.parameters())
        backwards = [each.backward for each in seen]
        with untouched():
            empty = all(p.grad is None for p in held)
            reaching = any(map(gradients.since, held))
            used = [] if empty or reaching else gradients.used_before(held)
        passes = calls.passes - own.passes
        clips = [clip for clip in calls.clips if any(id(p) in clip.parameters for p in held)]
        clipped = next((c for c in reversed(clips) if c.passes > own.passes), None)
        lost = gradients.lost(held)
        rated = next((each for other, each in calls.rated.items() if _shares_groups(other, optimizer)), None)
        if not attempt.closure:
            own.moving.updating(attempt.own_step, held)
        trains = self._modes.of(attempt.number, backwards, held)
        last = line_of(backwards[-1].place) if backwards else None
        given = self._labels.given
        return Facts(
            step=step,
            optimizer=attempt.number,
            own_step=attempt.own_step,
            made=_line(attempt.made_at),
            stepped=_line(attempt.asked_at),
            backward=last,
            rate=attempt.rate,
            remembers=any("betas" in g or g.get("momentum") for g in optimizer.param_groups),
            dtype=str(held[0].dtype).removeprefix("torch.") if held else "",
            norm=seen[-1].norms.over(held) if seen else None,
            passes=passes,
            reaching=int(reaching),
            unsure=self._unsure > own.passes or (lost > 0 and self._by_hand(clipped)),
            leftover=gradients.leftover(held),
            mixed=gradients.mixed(held),
            empty=empty,
            replaced=self._replaced(held, backwards) if empty and passes and not reaching else 0,
            cleared=self._cleared(attempt, held, empty=empty)
            if reaching and not attempt.closure
            else None,  # that is over
            again=bool(used),
            rival=any(taken.optimizer != attempt.number for taken in used),
            lost=lost,
            clipped=_line(clipped.line) if clipped else None,
            clip_limit=clipped.limit if clipped else None,
            clipped_scaled=_line(clipped.line) if clipped and id(optimizer) not in clipped.unscaled else None,
            clipped_late=_late(clips, own) if attempt.own_step > 1 else None,
            clipped_nothing=next((_line(c.line) for c in calls.clips if _is_idle(c, own)), None),
            scale=float(attempt.scaler.get_scale()) if attempt.scaler is not None else None,
            scalings=self._scaled - own.scaled if self._seen < _GRAPHS else None,
            taken_scaled=self._taken_scaled(attempt, seen, clipped) if reaching else None,
            skipped=attempt.scaler is not None and bool(seen) and not seen[-1].finite,
            moved=own.moving.moved,
            reset=own.moving.reset,
            over=own.moving.over and not self._restored(own, optimizer),
            evaluates=trains.evaluates,
            trained_before=trains.trained_before,
            untouched_norms=trains.untouched_norms,
            put_to_eval=_line(trains.line) or last,
            detached=self._attached <= own.passes and not reaching and (empty or bool(used)),
            restarted=self._restarted(own, backwards),
            reseeded=self._reseeded(own, backwards),
            rated=_line(rated.line) if rated else None,
            rated_times=rated.times if rated else 0,
            rated_other=self._rated_other(optimizer, held),
            remade=self._remade(attempt, held),
            labels=given.seen if given else 0,
            label=given.label if given else 0,
            ignored=given.ignored if given else 0,
            by_class=self._labels.order.by_class,
            labelled=self._labelled(),
            loads=calls.loads,
            holding=self._holding(attempt, held, backwards),
            heeds_targets=self._heeds_targets(attempt, backwards),
        )

    def by_hand(self, seen: Sequence[Seen], step: int, writes: float) -> Facts:
        """What is known of an update that was made by hand since the last of these backward passes.

        Where something but clipping has written into the gradients since, as a momentum that is kept there, they are
        not those that the update took; `writes` says how often they were written into.
        """
        clips = sum(clip.passes == self.calls.passes and clip.limit is not None for clip in self.calls.clips)
        last, gradients = seen[-1].backward, self._gradients
        trains = self._modes.of(0, [each.backward for each in seen], last.parameters)
        with untouched():
            facts = Facts(
                step=step,
                own_step=step,
                by_hand=True,
                backward=line_of(last.place),
                passes=len(seen),
                leftover=gradients.leftover(last.parameters),
                empty=all(p.grad is None for p in last.parameters),
                evaluates=trains.evaluates,
                trained_before=trains.trained_before,
                untouched_norms=trains.untouched_norms,
                put_to_eval=_line(trains.line) or line_of(last.place),
            )
            if writes <= clips:
                gradients.updated(0, last.parameters)
        self.calls.updated()
        return facts

    def taken_back(self, optimizer: Optimizer) -> int:
        """How often something else took back more than half of what an optimiser's updates had done."""
        own = self._own.get(optimizer)
        return own.undone.times if own is not None else 0

    def updated(self, attempt: Attempt, passed: int = 0) -> bool:
        """The update has been made; whether the steps are looked at closely from the next one on.

        Of so many before it nothing was told here.
        """
        calls = self.calls
        own = self._own.get(attempt.optimizer) or self._own.setdefault(attempt.optimizer, _Own())
        if attempt.own_step == 1:
            self.idle.stepping(attempt.optimizer)
        if self._asked:
            self._taken(attempt, own)
        if not attempt.closure:
            own.undone.updated(attempt.parameters())
        calls.updated()
        calls.unscaled.discard(id(attempt.optimizer))
        self._began_from = None
        own.step, own.passes, own.order, own.scaled = attempt.own_step, calls.passes, calls.order, self._scaled
        begins = self.inspection.see(self._kind, passed)
        if begins:
            self._gradients = Gradients(self._accumulation)
        return begins

    def _taken(self, attempt: Attempt, own: _Own) -> None:
        self._asked = False
        held = list(attempt.parameters())
        if self.inspection.close:
            with untouched():
                self._gradients.updated(attempt.number, held)
        if not attempt.closure:
            own.moving.updated(held)
        self._last = weakref.ref(attempt.optimizer), attempt.made_at, frozenset(map(id, held))

    def _replaced(self, held: Sequence[Tensor], backwards: Sequence[Backward]) -> int:
        """How many parameters of an optimiser have a twin in their place, which is trained and belongs to none."""
        everyones = {id(p) for each in self._updates.optimizers() for g in each.param_groups for p in g["params"]}
        reached = {id(p): p for backward in backwards for p in backward.parameters}
        free = Counter(tuple(p.shape) for key, p in reached.items() if key not in everyones)
        return (free & Counter(tuple(p.shape) for p in held)).total()

    def _labelled(self) -> SourceLine | None:
        """Where labels come from: what makes the batches, where these hold one class each, else the loss."""
        line = line_of(self._labels.order.place)
        return (line and comes_by_class(self._labels.order.by_class) and target_made_at(line)) or line

    def _by_hand(self, clipped: Clip | None) -> bool:
        """Whether gradients were written into since the last backward pass by anything but clipping."""
        return clipped is None and self._accumulation.changed()

    def _cleared(self, attempt: Attempt, held: Sequence[Tensor], *, empty: bool) -> SourceLine | None:
        at, line = self.calls.cleared
        if not empty and at > self._reached_at:
            with untouched():
                grads = [p.grad for p in held if p.grad is not None]
                empty = not any(bool(torch.count_nonzero(dense(gradient))) for gradient in grads)
        elif at <= self._reached_at:
            line = attempt.asked_at
        return _line(line) if empty else None

    def _taken_scaled(self, attempt: Attempt, seen: Sequence[Seen], clipped: Clip | None) -> float | None:
        """The loss scale in the gradients that an optimiser takes by itself."""
        if attempt.scaler is not None or not seen or id(attempt.optimizer) in self.calls.unscaled:
            return None
        scale = min(each.scale for each in seen)
        return scale if scale != 1.0 and not self._by_hand(clipped) else None

    def _restarted(self, own: _Own, backwards: Sequence[Backward]) -> SourceLine | None:
        restarts = [line for line in self.calls.restarts if line is not None and _ITER.search(linecache.getline(*line))]
        was, own.batch = own.batch, _batch(backwards) if restarts else None
        return _line(restarts[-1]) if restarts and own.batch is not None and own.batch == was else None

    def _reseeded(self, own: _Own, backwards: Sequence[Backward]) -> SourceLine | None:
        seeded, state = self.calls.seeded, self._began_from
        was, own.seed = own.seed, None if seeded is None else (seeded[0], state)
        if seeded is None or state is None or own.seed != was:
            return None
        used = state != seeded[1] or any(entry.random for backward in backwards for entry in backward.entries)
        return _line(seeded[2]) if used else None

    def _restored(self, own: _Own, optimizer: Optimizer) -> bool:
        """Whether the optimiser was given a state as well since this was asked: then all begins anew on purpose."""
        was, own.restored = own.restored, self._updates.restored.get(optimizer, 0)
        return own.restored != was

    def _rated_other(self, optimizer: Optimizer, held: Sequence[Tensor]) -> SourceLine | None:
        for other, rated in self.calls.rated.items():
            if _shares_groups(other, optimizer):
                return None
            if rated.times > 1 and not self._updates.has_stepped(other):
                theirs = {id(p) for group in other.param_groups for p in group["params"]}
                if any(id(p) in theirs for p in held):
                    return _line(rated.line)
        return None

    def _remade(self, attempt: Attempt, held: Sequence[Tensor]) -> bool:
        if attempt.own_step > 1 or self._last is None or attempt.made_at is None:
            return False
        optimizer, line, parameters = self._last
        other = optimizer() is not attempt.optimizer
        return other and line == attempt.made_at and parameters == frozenset(map(id, held))

    def _holding(self, attempt: Attempt, held: Sequence[Tensor], backwards: Sequence[Backward]) -> Holding | None:
        """Looked at when an optimiser has stepped a few times: until then its modules are listened to."""
        self._seen += 1
        if attempt.own_step == 1 and attempt.number < _OPTIMIZERS:
            self._seen = 1
        if self._seen > _GRAPHS:
            self._tape.heard = None
            self._heard.clear()
        if attempt.own_step > ROW:
            return None
        self._holdings.updating(held)
        if attempt.own_step < ROW:
            self._tape.heard = self._heard
            return None
        everyones = [p for each in self._updates.optimizers() for group in each.param_groups for p in group["params"]]
        if not backwards:
            return None
        holding = self._holdings.holding(held, everyones, backwards, self._heard)
        if holding.ignored_target is not None:
            self._ignoring.add(attempt.number)
        return holding

    def _heeds_targets(self, attempt: Attempt, backwards: Sequence[Backward]) -> bool:
        """Whether targets that changed nothing do so now: a mask, or a weight, may let them in later."""
        due = attempt.number in self._ignoring and attempt.own_step > ROW and attempt.own_step % _RELOOK == 0
        if not due or not backwards or not self._holdings.heeds_targets(backwards[-1]):
            return False
        self._ignoring.remove(attempt.number)
        return True


def _shares_groups(one: Optimizer, other: Optimizer) -> bool:
    """Whether a learning rate that is set in one is the other's: they are the same, or one wraps the other."""
    mine = {id(group) for group in one.param_groups}
    return any(id(group) in mine for group in other.param_groups)


def _kind_of(backward: Backward) -> tuple[Any, ...]:
    """What tells one kind of backward pass from another: its call, its line, and the modes of the models."""
    place = backward.place
    modes = tuple([entry.training for entry in backward.entries if entry.parameters])
    return backward.kind, bool(backward.why), place and (id(place[0]), place[1]), modes


def _late(clips: Sequence[Clip], own: _Own) -> SourceLine | None:
    """Where gradients were clipped after the last update and before the next backward pass."""
    return next((_line(c.line) for c in reversed(clips) if c.passes == own.passes and c.at > own.order), None)


def _is_idle(clip: Clip, own: _Own) -> bool:
    return not clip.parameters and clip.passes > own.passes


def _line(line: Line | None) -> SourceLine | None:
    return None if line is None else SourceLine(file=line[0], line=line[1])


def _batch(backwards: Sequence[Backward]) -> Any:
    """What tells one batch from another: the sizes, the sum and the first numbers of the first tensor from outside."""
    with untouched():
        for data in (data for backward in backwards for entry in backward.entries for data in data_of(entry)):
            values = data.tensor.detach().reshape(-1)
            if values.numel() and values.layout is torch.strided and not values.is_complex():
                return tuple(data.tensor.shape), float(values.double().sum()), tuple(values[:16].tolist())
    return None
