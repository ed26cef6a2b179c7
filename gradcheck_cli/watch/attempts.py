"""Attempted updates: what optimisers and GradScalers are asked to do.

An update is attempted where `Optimizer.step` is called from outside of another one, or `GradScaler.step`, which may
skip the optimiser's. An optimiser that steps inside a backward pass (post-accumulate hooks) is told apart by whoever
listens. The learning-rate of an update and the loss scale are read here, since only here is it known whose they are.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import chain, count
from types import FrameType
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.weak import WeakIdKeyDictionary

from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.tracebacks import OURS, TORCH, hidden


class Attempt(NamedTuple):  # one is made at every step
    """One attempted update.

    Attributes:
        optimizer: Whose; in order of its first update it is the `number`-th from 0, and this is its `own_step` from 1.
        scaler: The GradScaler that was asked for it, if one was and it is enabled.
        closure: Whether the backward pass runs inside it (LBFGS, Lightning).
        made_at: The file and line that made the optimiser, where that was seen.
        asked_at: Those of the call that asks for the update.
    """

    optimizer: Optimizer
    number: int
    own_step: int
    scaler: GradScaler | None
    closure: bool = False
    made_at: tuple[str, int] | None = None
    asked_at: tuple[str, int] | None = None

    def parameters(self) -> Iterator[Tensor]:
        """What the optimiser holds."""
        groups = self.optimizer.param_groups
        if len(groups) == 1:  # as nearly all have
            return iter(groups[0]["params"])
        return chain.from_iterable([group["params"] for group in groups])

    def groups(self) -> list[dict[str, Any]]:
        """Its parameters with what they are updated by, as the optimiser groups them."""
        return self.optimizer.param_groups

    def rates(self) -> tuple[float, ...]:
        """The learning rate of each group, as far as it is known without waiting for a device."""
        found = [group.get("lr") for group in self.groups()]
        return tuple([float(lr) for lr in found if lr is not None and not isinstance(lr, Tensor)])

    @property
    def rate(self) -> float | None:
        """The highest of them; None where none is known."""
        groups = self.optimizer.param_groups
        if len(groups) == 1 and type(found := groups[0].get("lr")) is float:  # as nearly all are
            return found
        return max(self.rates(), default=None)

    def normalises(self) -> bool:
        """Whether gradients are divided by what they used to be, as Adam does."""
        return any("exp_avg_sq" in state for state in self.optimizer.state.values())


class UpdateListener(Protocol):
    """Whoever wants to know of updates."""

    def updating(self, attempt: Attempt) -> None:
        """An update is about to be made; parameters and gradients are still those of the step."""

    def updated(self, attempt: Attempt) -> None:
        """It has been made, or skipped."""


class Updates:
    """Watches every optimiser and GradScaler of this process.

    Args:
        listener: Who is told.
        is_ours: Whether what is done now is done by the thread that is watched.

    Attributes:
        seen: Whether there was one yet.
        made: How many were made, or given a state, so far.
        brief: Whether nobody asks where the next update is asked for.
        restored: How often each optimiser was given a state.
    """

    def __init__(self, listener: UpdateListener, is_ours: Callable[[], bool] = lambda: True) -> None:
        self._listener, self._is_ours = listener, is_ours
        self._next = count()  # one that is gone leaves its number to nobody
        self._numbers: weakref.WeakKeyDictionary[Optimizer, list[int]] = weakref.WeakKeyDictionary()
        self._last: tuple[Callable[[], Optimizer | None], list[int], tuple[str, int] | None] = (lambda: None), [], None
        self._known: weakref.WeakKeyDictionary[Optimizer, tuple[str, int] | None] = weakref.WeakKeyDictionary()
        self.restored: weakref.WeakKeyDictionary[Optimizer, int] = weakref.WeakKeyDictionary()
        self._scaled: Any = WeakIdKeyDictionary()  # of the scaled loss: the loss, and the scaler
        self._undo: list[Callable[[], None]] = []
        self._inside: Attempt | None = None
        self.seen = self.brief = False
        self.made = 0
        self._frame: FrameType | None = None  # of torch's that calls `step`, while it runs

    @property
    def inside(self) -> Attempt | None:
        """The attempt that is being made, or None: a closure runs inside it. One that raised is over."""
        if self._inside is not None and self._frame is not None and not _is_running(self._frame, sys._getframe(1)):
            self._inside = self._frame = None
        return self._inside

    def optimizers(self) -> list[Optimizer]:
        """Those that were made since we watch, and those that have stepped."""
        return [found for ref in self._known.keyrefs() if (found := ref()) is not None]

    @property
    def count(self) -> int:
        """How many of them there are."""
        return len(self._known)

    @property
    def all_step(self) -> bool:
        """Whether each of them was asked for an update."""
        return len(self._numbers) == len(self._known)

    def has_stepped(self, optimizer: Optimizer) -> bool:
        """Whether it was asked for an update yet."""
        return optimizer in self._numbers

    def scale_of(self, loss: Tensor) -> tuple[Tensor, GradScaler] | None:
        """The loss before a GradScaler multiplied it, and that scaler; None where none did."""
        found: tuple[Tensor, GradScaler] | None = self._scaled.get(loss) if self._scaled else None
        return found

    def install(self) -> None:
        """Begin to watch."""
        before = register_optimizer_step_pre_hook(self._before)
        after = register_optimizer_step_post_hook(self._after)
        self._undo += [before.remove, after.remove]
        self._wrap(Optimizer, "__init__", self._made)
        self._wrap(Optimizer, "__setstate__", self._copied)
        self._wrap(GradScaler, "scale", self._scaling)
        self._wrap(GradScaler, "step", self._stepping)

    def remove(self) -> None:
        """Leave torch as it was."""
        while self._undo:
            self._undo.pop()()

    def _wrap(self, owner: type, name: str, replaced: Callable[..., Any]) -> None:
        original = getattr(owner, name)

        @hidden
        @wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling():
                return original(*args, **kwargs)
            return replaced(original, *args, **kwargs)

        setattr(owner, name, wrapper)

        def undo() -> None:
            if getattr(owner, name) is wrapper:
                setattr(owner, name, original)

        self._undo.append(undo)

    def _made(self, original: Callable[..., None], optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
        original(optimizer, *args, **kwargs)
        self.made += 1
        self._known[optimizer] = users_line()

    def _copied(self, original: Callable[..., None], optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
        """A state is given to a copy, or to one that is unpickled; or to one that was there."""
        original(optimizer, *args, **kwargs)
        self.made += 1
        self._known.setdefault(optimizer, users_line())
        self.restored[optimizer] = self.restored.get(optimizer, 0) + 1

    def _scaling(self, original: Callable[..., Any], scaler: GradScaler, outputs: Any) -> Any:
        returned = original(scaler, outputs)
        if isinstance(returned, Tensor) and returned is not outputs:
            with untouched():
                self._scaled[returned] = (outputs.detach(), scaler)
        return returned

    def _stepping(
        self, original: Callable[..., Any], scaler: GradScaler, optimizer: Optimizer, *args: Any, **kwargs: Any
    ) -> Any:
        if self.inside is not None or not scaler.is_enabled() or not self._is_ours():
            return original(scaler, optimizer, *args, **kwargs)
        attempt = self._begin(optimizer, scaler)
        try:
            return original(scaler, optimizer, *args, **kwargs)
        finally:
            self._end(attempt)

    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if torch.compiler.is_compiling() or not self._is_ours():
            return
        frame = sys._getframe(1)
        if self.inside is None:
            self._frame = frame
            given = next(iter(args[1:]), kwargs.get("closure")) if isinstance(kwargs, dict) else None
            self._begin(optimizer, None, closure=callable(given))

    def _after(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self._frame is not None and self._frame is sys._getframe(1):  # not one that another's calls
            self._frame = None
            if self._inside is not None:
                self._end(self._inside)

    def _begin(self, optimizer: Optimizer, scaler: GradScaler | None, *, closure: bool = False) -> Attempt:
        self.seen = True
        last, entry, made_at = self._last
        if last() is not optimizer:
            found = self._numbers.get(optimizer)
            entry = self._numbers[optimizer] = [next(self._next), 0] if found is None else found
            made_at = self._known.setdefault(optimizer, None)
            self._last = weakref.ref(optimizer), entry, made_at
        entry[1] += 1
        asked_at = None if self.brief else users_line()
        attempt = self._inside = Attempt(optimizer, entry[0], entry[1], scaler, closure, made_at, asked_at)
        self._listener.updating(attempt)
        return attempt

    def _end(self, attempt: Attempt) -> None:
        self._inside = None
        self._listener.updated(attempt)


def _is_running(frame: FrameType, now: FrameType | None) -> bool:
    """Whether a frame is among those that called this one."""
    while now is not None and now is not frame:
        now = now.f_back
    return now is not None


def users_line() -> tuple[str, int] | None:
    """The innermost line outside torch and gradcheck of those that are being run."""
    frame = sys._getframe(1)
    while frame is not None:
        if not frame.f_code.co_filename.startswith((TORCH, OURS)):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return None
