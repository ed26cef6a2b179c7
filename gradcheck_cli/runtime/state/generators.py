"""The random generators: those of the process and those that a model or a data set has of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import numpy as np
import torch

from gradcheck_cli.runtime.state.objects import walk

Undo = Callable[[], None]
ONE_AT_A_TIME = RLock()
"""Generators and torch's switches are the process's: two threads that put them back would undo each other."""


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch, as the user's training script would."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextmanager
def drawing(source: Any, seed: int) -> Iterator[None]:
    """Draw from `source`, a loader, a data set or a function, inside: seeded, and with no trace in any generator."""
    with ONE_AT_A_TIME:
        found = (value for value, *_ in walk([("", source)]))
        undos = [undoing_globals(), *(make(value) for value in found for make in makers(type(value)))]
        seed_everything(seed)
        try:
            yield
        finally:
            for undo in undos:
                undo()


def undoing_globals() -> Undo:
    """What gives Python's, NumPy's and torch's generators the state that they have now."""
    cpu, python, numpy = torch.get_rng_state(), random.getstate(), np.random.get_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None

    def undo() -> None:
        torch.set_rng_state(cpu)
        random.setstate(python)
        np.random.set_state(numpy)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)

    return undo


def makers(kind: type) -> Iterator[Callable[[Any], Undo]]:
    """What gives a generator of `kind` the state that it has when this is called; nothing for what is none."""
    if issubclass(kind, torch.Generator):
        yield lambda value: _setting(value.set_state, value.get_state())
    elif issubclass(kind, random.Random) and not issubclass(kind, random.SystemRandom):
        yield lambda value: _setting(value.setstate, value.getstate())
    elif issubclass(kind, np.random.RandomState):
        yield lambda value: _setting(value.set_state, value.get_state())
    elif issubclass(kind, np.random.Generator):
        yield lambda value: _bits_of(value.bit_generator)
    elif issubclass(kind, np.random.BitGenerator):
        yield _bits_of


def _setting(put: Callable[[Any], Any], state: Any) -> Undo:
    def undo() -> None:
        put(state)

    return undo


def _bits_of(generator: np.random.BitGenerator) -> Undo:
    state = generator.state

    def undo() -> None:
        generator.state = state

    return undo
