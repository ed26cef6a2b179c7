"""The calls that a training loop is made of, beside backward passes and updates: who made which, and when.

Each is noted with the line of the user's and with its place in the order of all: what comes before what is the matter.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.compiler import is_compiling
from torch.nn.utils import clip_grad
from torch.optim import Optimizer, lr_scheduler
from torch.utils.data import DataLoader

from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.watch.attempts import users_line
from gradcheck_cli.watch.taps import Undo, put
from gradcheck_cli.watch.tracebacks import hidden

Line = tuple[str, int]
_RATES, _RATING = lr_scheduler.LRScheduler, "_update_lr"
"""What every scheduler's `step` calls: that itself warns at its caller's line, which has to stay the user's."""
_MOST_CLIPS = 16
"""Clippings that are remembered: more than the optimisers of a step."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Gradients that were clipped: when, whose by their ids, after which backward pass, and where.

    `unscaled` are the optimisers, by id, whose gradients had been unscaled by then; `limit` is the L2 norm that the
    gradients were clipped to, None where it was by something else.
    """

    at: int
    parameters: frozenset[int]
    passes: int
    unscaled: frozenset[int]
    line: Line | None
    limit: float | None = None


@dataclass(slots=True)
class Rated:
    """How often schedulers of an optimiser were stepped, and where last."""

    times: int = 0
    line: Line | None = None


class LoopCalls:
    """Notes them.

    Args:
        is_ours: Whether what is done now is done by the thread that is watched.
        guarded: Inside, nothing that goes wrong reaches the script.

    Attributes:
        order: The number of calls so far.
        passes: Backward passes so far; whoever sees them counts.
        cleared: The last call that cleared gradients: its place in the order, and its line.
        clips: Since the last update, and between it and the next backward pass.
        unscaled: The optimisers, by id, whose gradients a GradScaler has unscaled since their last update.
        scaled: The numbers of the autograd nodes that made what a GradScaler has scaled since the last update.
        rated: Of every optimiser that a scheduler moves.
        modes: The last call that put a module into eval mode, by the module.
        restarts: Loaders of several batches that were begun since the last update, with the line.
        loads: Whether such a loader was ever begun.
        seeded: The last call that set the random state since the last update: the seed, the state's digest, the line.
        deaf: Whether no call is noted for now: nobody asks about the next update.
    """

    def __init__(self, is_ours: Callable[[], bool], guarded: AbstractContextManager[None]) -> None:
        self._is_ours, self._guarded = is_ours, guarded
        self._undo: list[Undo] = []
        self._depth = 0
        self.order = self.passes = 0
        self.deaf = False
        self.cleared: tuple[int, Line | None] = (0, None)
        self.clips: list[Clip] = []
        self.unscaled: set[int] = set()
        self.scaled: set[int] = set()
        self.rated: weakref.WeakKeyDictionary[Optimizer, Rated] = weakref.WeakKeyDictionary()
        self.modes: weakref.WeakKeyDictionary[nn.Module, Line | None] = weakref.WeakKeyDictionary()
        self.restarts: list[Line | None] = []
        self.loads = False
        self.seeded: tuple[Any, int, Line | None] | None = None

    def install(self) -> None:
        """Begin to note."""
        before = self._before
        self._undo = [
            put(Optimizer, "zero_grad", before(self._clearing)),
            put(nn.Module, "zero_grad", before(self._clearing)),
            put(nn.Module, "train", self._switching),
            put(GradScaler, "unscale_", before(self._unscaling)),
            put(GradScaler, "scale", self._scaling),
            put(DataLoader, "__iter__", before(self._beginning)),
            *([put(_RATES, _RATING, before(self._rating))] if hasattr(_RATES, _RATING) else []),
            *self._everywhere(self._clipping, (torch.nn.utils, clip_grad), "clip_grad_norm_", "clip_grad_value_"),
            *self._everywhere(self._seeding, (torch, torch.random), "manual_seed"),
        ]

    def remove(self) -> None:
        """Leave torch as it was."""
        while self._undo:
            self._undo.pop()()

    def updated(self) -> None:
        """An update was made: what belongs to one begins anew."""
        self.order += 1
        del self.clips[:-_MOST_CLIPS]
        self.scaled.clear()
        self.restarts.clear()
        self.seeded = None

    def _before(self, note: Callable[..., None]) -> Callable[[Any], Any]:
        """What makes a function note its calls; one that is called by another of these is not the user's."""

        def made(original: Callable[..., Any]) -> Callable[..., Any]:
            @hidden
            @functools.wraps(original)
            def noted(*args: Any, **kwargs: Any) -> Any:
                if self.deaf or is_compiling() or self._depth or not self._is_ours():
                    return original(*args, **kwargs)
                self.order += 1
                self._depth += 1
                try:
                    with self._guarded:
                        note(*args, **kwargs)
                    return original(*args, **kwargs)
                finally:
                    self._depth -= 1

            return noted

        return made

    def _everywhere(self, made: Callable[[Any], Any], owners: Sequence[Any], *names: str) -> Iterator[Undo]:
        """One wrapper for each function, under all of its addresses."""
        for name in names:
            wrapped = functools.cache(made)
            yield from (put(owner, name, wrapped) for owner in owners)

    def _clearing(self, *args: Any, **kwargs: Any) -> None:
        self.cleared = self.order, users_line()

    def _unscaling(self, scaler: GradScaler, optimizer: Optimizer) -> None:
        if scaler.is_enabled():
            self.unscaled.add(id(optimizer))

    def _scaling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @hidden
        @functools.wraps(original)
        def scale(scaler: GradScaler, outputs: Any) -> Any:
            returned = original(scaler, outputs)
            if isinstance(returned, Tensor) and scaler.is_enabled() and not is_compiling() and self._is_ours():
                with self._guarded, untouched():
                    node = returned.grad_fn
                    self.scaled |= set() if node is None else {node._sequence_nr()}
            return returned

        return scale

    def _rating(self, scheduler: Any, *args: Any, **kwargs: Any) -> None:
        optimizer = getattr(scheduler, "optimizer", None)
        if isinstance(optimizer, Optimizer) and hasattr(scheduler, "_last_lr"):  # its own first step sets that
            rated = self.rated.setdefault(optimizer, Rated())
            rated.times, rated.line = rated.times + 1, users_line()

    def _beginning(self, loader: DataLoader[Any]) -> None:
        try:
            several = len(loader) > 1
        except TypeError:  # as long as its data, which has no length
            return
        if several:
            self.loads = True
            self.restarts.append(users_line())

    def _switching(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`train` calls itself for every part: only the first call is the user's."""

        @hidden
        @functools.wraps(original)
        def train(module: nn.Module, mode: bool = True) -> Any:
            if self._depth or is_compiling() or not self._is_ours():
                return original(module, mode)
            if not mode:
                with self._guarded:
                    self.modes[module] = users_line()
            self._depth += 1
            try:
                return original(module, mode)
            finally:
                self._depth -= 1

        return train

    def _clipping(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @hidden
        @functools.wraps(original)
        def clip(parameters: Any, limit: float, *args: Any, **kwargs: Any) -> Any:
            if self.deaf or is_compiling() or self._depth or not self._is_ours():
                return original(parameters, limit, *args, **kwargs)
            held = [parameters] if isinstance(parameters, Tensor) else list(parameters)  # it may be a generator
            with self._guarded:
                if limit < float("inf"):  # else it is the norm that is wanted
                    self.order += 1
                    with untouched():
                        with_gradient = frozenset(id(p) for p in held if p.grad is not None)
                    at = (self.order, with_gradient, self.passes, frozenset(self.unscaled), users_line())
                    by_norm = original.__name__ == "clip_grad_norm_" and not args and kwargs.get("norm_type", 2) == 2
                    self.clips.append(Clip(*at, limit if by_norm and isinstance(limit, int | float) else None))
            return original(held, limit, *args, **kwargs)

        return clip

    def _seeding(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @hidden
        @functools.wraps(original)
        def manual_seed(seed: Any) -> Any:
            returned = original(seed)
            if not (is_compiling() or self._depth) and self._is_ours():
                with self._guarded:
                    self.seeded = seed, random_state(), users_line()
            return returned

        return manual_seed


def random_state() -> int:
    """A digest of the state of torch's generator."""
    with untouched():
        return hash(bytes(torch.get_rng_state().tolist()))
