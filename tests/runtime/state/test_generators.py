"""Every random generator goes on as if nobody had drawn from it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from gradcheck_cli.runtime.state.generators import drawing, makers, seed_everything, undoing_globals

GLOBALS: dict[str, Callable[[], Any]] = {
    "python": random.random,
    "numpy": lambda: float(np.random.rand()),
    "torch": lambda: torch.rand(()).item(),
}
OWN: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "torch.Generator": (torch.Generator, lambda g: torch.rand((), generator=g).item()),
    "random.Random": (lambda: random.Random(1), lambda g: g.random()),
    "RandomState": (lambda: np.random.RandomState(1), lambda g: float(g.rand())),
    "Generator": (lambda: np.random.default_rng(1), lambda g: float(g.random())),
    "PCG64": (lambda: np.random.PCG64(1), lambda g: g.random_raw()),
    "MT19937": (lambda: np.random.MT19937(1), lambda g: g.random_raw()),
}


@pytest.mark.parametrize("draw", GLOBALS.values(), ids=GLOBALS)
@pytest.mark.parametrize("seed", [0, 1, 2**32 + 1, 2**63 - 1])
def test_a_seed_decides_what_is_drawn(draw: Callable[[], float], seed: int) -> None:
    seed_everything(seed)
    first = draw()
    seed_everything(seed)
    assert draw() == first
    assert draw() != first


def test_a_seed_is_that_of_the_users_script() -> None:
    seed_everything(7)
    found = {name: draw() for name, draw in GLOBALS.items()}
    random.seed(7), np.random.seed(7), torch.manual_seed(7)
    assert found == {name: draw() for name, draw in GLOBALS.items()}


@pytest.mark.parametrize("draw", GLOBALS.values(), ids=GLOBALS)
def test_a_generator_of_the_process_goes_on_where_it_was(draw: Callable[[], float]) -> None:
    undo = undoing_globals()
    first = draw()
    for _ in range(2):
        undo()
        assert draw() == first


def test_half_a_pair_of_normal_numbers_is_kept_too() -> None:
    random.gauss(0, 1), np.random.randn(1)  # the other half waits
    undo = undoing_globals()
    first = random.gauss(0, 1), float(np.random.randn())
    undo()
    assert (random.gauss(0, 1), float(np.random.randn())) == first


@pytest.mark.parametrize("name", OWN)
def test_a_generator_of_the_models_own_goes_on_where_it_was(name: str) -> None:
    make, draw = OWN[name]
    generator = make()
    (maker,) = makers(type(generator))
    draw(generator)
    undo = maker(generator)
    first = draw(generator)
    for _ in range(2):
        undo()
        assert draw(generator) == first


@pytest.mark.parametrize("kind", [int, dict, nn.Linear, torch.Tensor, np.ndarray])
def test_nothing_is_kept_of_what_is_no_generator(kind: type) -> None:
    assert list(makers(kind)) == []


class Jittered(TensorDataset):
    """A data set with a generator of its own."""

    def __init__(self) -> None:
        super().__init__(torch.arange(8.0))
        self.rng = np.random.default_rng(0)

    def __getitem__(self, index: int) -> tuple[float]:
        return (float(super().__getitem__(index)[0]) + self.rng.random() + random.random(),)


def test_drawing_leaves_no_trace_in_the_generators_of_the_process_or_of_the_source() -> None:
    data, generator = Jittered(), torch.Generator()
    loader = DataLoader(data, batch_size=4, sampler=RandomSampler(data, generator=generator))
    before = generator.get_state(), data.rng.bit_generator.state, torch.get_rng_state(), random.getstate()
    with drawing(loader, 3):
        next(iter(loader))
        assert data.rng.bit_generator.state != before[1]
    assert torch.equal(generator.get_state(), before[0])
    assert data.rng.bit_generator.state == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])
    assert random.getstate() == before[3]


def test_the_same_seed_draws_the_same_batch() -> None:
    data = Jittered()
    loader = DataLoader(data, batch_size=4, shuffle=True)

    def drawn(seed: int) -> torch.Tensor:
        with drawing(loader, seed):
            return next(iter(loader))[0]

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))


def test_no_trace_is_left_where_drawing_fails() -> None:
    before = random.getstate(), torch.get_rng_state()
    with pytest.raises(OSError, match="the disk is gone"), drawing(None, 5):
        random.random(), torch.rand(1)
        raise OSError("the disk is gone")
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
