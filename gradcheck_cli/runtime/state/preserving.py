"""The one context manager; what each kind of state takes is in the modules beside it."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradcheck_cli.errors import StateError
from gradcheck_cli.runtime.state import containers, generators, marks
from gradcheck_cli.runtime.state.bits import Memory
from gradcheck_cli.runtime.state.objects import Found, path_of, walk
from gradcheck_cli.runtime.state.switches import undoing_switches
from gradcheck_cli.runtime.tensors import untouched
from gradcheck_cli.words import listing


@contextmanager
def preserved(model: nn.Module, batch: Any = None, loss: Any = None) -> Iterator[State]:
    """Restore everything of `model`, `batch` and the process that a forward and backward pass can change.

    Inside, gradients are enabled. What is yielded can put everything back in between as well, as before a second pass.
    Works inside a live training run: nothing is moved, and nothing but the state is written.

    Args:
        model: Attributes, modes, hooks, values, gradients and random generators of all its modules come back, and
            those of what hangs on them: containers, tensors, arrays, objects of the user's classes.
        batch: Likewise, in place: the tensors are the user's own.
        loss: Likewise, where it is a module.

    Raises:
        StateError: Something was changed and cannot be put back; all the rest was.
    """
    with generators.ONE_AT_A_TIME, torch.inference_mode(False):
        state = State(model, batch, loss if isinstance(loss, nn.Module) else None)
        try:
            with torch.enable_grad():
                yield state
        finally:
            state.restore()


class State:
    """The state of a model, its batch and the process at the time when this is made."""

    def __init__(self, model: nn.Module, batch: Any = None, loss: nn.Module | None = None) -> None:
        self._switches = undoing_switches()
        self._random = generators.undoing_globals()
        with untouched(), _collector_off():
            parts = list(walk([("", model), ("the batch", batch), ("the loss", loss)]))
            made = [(found, _made(make, found[0])) for found in parts for make in _makers(type(found[0]))]
            self._undos = [(found, undo) for found, undo in made if undo is not None]
            given = filter(_has_bits, walk([("the batch", batch)]))
            self._memory = Memory(filter(_has_bits, _with_gradients(parts)), given)

    @property
    def watches_writes(self) -> bool:
        """Whether `before_write` is of use: some tensors are too large to be copied beforehand."""
        return self._memory.watches

    def before_write(self, target: Any) -> None:
        """Called before a torch function writes into `target`, so that it can be undone."""
        self._memory.before_write(target)

    def restore(self) -> None:
        """Put everything back; it can be called again.

        Raises:
            StateError: Something was changed and cannot be put back.
        """
        lost: list[Found] = []
        for undo in (*self._switches, self._random):  # first: a mode of the user's would be called by what follows
            _attempt((None, "torch's switches", None), undo, lost)
        with torch.inference_mode(False), untouched():
            for found, undo in self._undos:
                _attempt(found, undo, lost)
            lost += self._memory.restore()
        _told(lost)


def keeping(batch: Any) -> Callable[[], None]:
    """What puts the values of a batch back in place, as often as it is called; nothing else is touched."""
    memory = Memory((), filter(_has_bits, walk([("the batch", batch)])))
    return lambda: _told(memory.restore())


def _told(lost: list[Found]) -> None:
    if lost:
        raise StateError(
            f"the check changed {listing(list(dict.fromkeys(map(path_of, lost))))} and could not undo it",
            hint="Something writes into it where torch does not show it; load the model again.",
        )


def _makers_of(kind: type) -> tuple[Callable[[Any], Callable[[], None]], ...]:
    of_tensor = (marks.undoing,) if issubclass(kind, Tensor) else ()
    return *containers.makers(kind), *of_tensor, *generators.makers(kind)


_makers: Callable[[type], tuple[Callable[[Any], Callable[[], None]], ...]] = functools.cache(_makers_of)
"""What is to be undone of an object of a class."""


def _made(make: Callable[[Any], Callable[[], None]], value: Any) -> Callable[[], None] | None:
    """What undoes changes of a value; None where its class lets nobody look at it, as a dead wrapper of vmap does."""
    try:
        return make(value)
    except Exception:
        return None


@contextmanager
def _collector_off() -> Iterator[None]:
    """What is noted here stays: Python's collector would walk over all of it again and again as it grows."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _attempt(found: Found, undo: Callable[[], None], lost: list[Found]) -> None:
    """Every step is taken, also after one that fails: a class of the user's may refuse to be written to."""
    try:
        undo()
    except Exception:
        lost.append(found)


def _has_bits(found: Found) -> bool:
    return isinstance(found[0], (Tensor, np.ndarray))


def _with_gradients(parts: list[Found]) -> Iterator[Found]:
    for found in parts:
        yield found
        value = found[0]
        if isinstance(value, Tensor) and value.is_leaf and value.grad is not None:
            yield value.grad, "grad", found
