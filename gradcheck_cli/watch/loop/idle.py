"""Optimisers that hold what backward passes reach, and are never asked to step: known for sure when the run ends."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor
from torch.optim import Optimizer

from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.attempts import Updates
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import Place
from gradcheck_cli.watch.loop.facts import LoopFault
from gradcheck_cli.watch.loop.holdings import is_fresh
from gradcheck_cli.watch.loop.movement import is_held
from gradcheck_cli.watch.loop.signs import ROW
from gradcheck_cli.watch.manualupdates import ByHand
from gradcheck_cli.watch.replay import line_of


@dataclass(slots=True)
class _Waiting:
    """What is known of one that has not stepped: the passes that reached it, and why it may be as it should be."""

    keys: frozenset[int]
    fresh: bool
    passes: int = 0
    place: Place | None = None
    moves: ByHand = field(default_factory=ByHand)
    excused: bool = False


class Idle:
    """Fed with each backward pass after it has run, and with each optimiser that begins to step.

    Gradients alone may be all that is wanted, as of a trained model: so only those count that are as they were
    initialised, that nothing moves by hand, and that no other optimiser trains.

    Args:
        updates: Knows the optimisers.
    """

    def __init__(self, updates: Updates) -> None:
        self._updates = updates
        self._waiting: weakref.WeakKeyDictionary[Optimizer, _Waiting] = weakref.WeakKeyDictionary()
        self._all: list[_Waiting] = []  # those of optimisers that are gone as well

    def ended(self, backward: Backward) -> None:
        """A backward pass has run."""
        if self._updates.all_step:
            return
        idle = [each for each in self._updates.optimizers() if not self._updates.has_stepped(each)]
        if not idle or backward.kind != "backward":
            return
        reached = {id(p) for p in backward.parameters}
        with untouched():
            for optimizer in idle:
                held = [p for group in optimizer.param_groups for p in group["params"] if is_held(p)]
                if any(id(p) in reached and p.grad is not None for p in held):
                    self._reached(optimizer, held, backward)

    def _reached(self, optimizer: Optimizer, held: list[Tensor], backward: Backward) -> None:
        waiting = self._waiting.get(optimizer)
        if waiting is None:
            waiting = self._waiting[optimizer] = _Waiting(frozenset(map(id, held)), any(map(is_fresh, held)))
            self._all.append(waiting)
        waiting.passes += 1
        waiting.place = backward.place
        if waiting.passes & (waiting.passes - 1) == 0:  # at each doubling: what moves at all has moved by then
            waiting.excused |= waiting.moves.moved(held)

    def stepping(self, optimizer: Optimizer) -> None:
        """An optimiser makes its first update."""
        keys = {id(p) for group in optimizer.param_groups for p in group["params"]}
        for waiting in self._all:
            waiting.excused |= bool(waiting.keys & keys)

    def found(self) -> Iterator[LoopFault]:
        """What stands when the run has ended."""
        for waiting in self._all:
            if waiting.passes >= ROW and waiting.fresh and not waiting.excused:
                yield LoopFault(
                    code="GC675",
                    message=f"{waiting.passes} backward passes reached the parameters of an optimiser whose step() is "
                    "never called: nothing moves",
                    line=line_of(waiting.place),
                    evidence={"passes": waiting.passes},
                    since=1,
                )
