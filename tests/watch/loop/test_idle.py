"""Optimisers that never step, by their passes alone."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import SGD

from gradcheck_cli.watch.attempts import Updates
from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.entries import TapeEntry
from gradcheck_cli.watch.loop.idle import Idle
from gradcheck_cli.watch.loop.signs import ROW


class _Known(Updates):
    """Knows one optimiser, which has not stepped."""

    def __init__(self, optimizer: SGD) -> None:
        self.one = optimizer

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [self.one]

    @property
    def all_step(self) -> bool:
        return False

    def has_stepped(self, optimizer: torch.optim.Optimizer) -> bool:
        return False


def passed(model: nn.Module, times: int, idle: Idle) -> None:
    for _ in range(times):
        model(torch.ones(2, 3)).sum().backward()
        entry = TapeEntry()
        entry.call, entry.parameters = model, list(model.parameters())
        backward = Backward("backward", None, None)
        backward.entries = [entry]
        idle.ended(backward)


def test_a_few_passes_are_an_accident_and_more_are_not() -> None:
    model = nn.Linear(3, 64)
    optimizer = SGD(model.parameters(), lr=0.1)
    idle = Idle(_Known(optimizer))
    passed(model, ROW - 1, idle)
    assert not list(idle.found())
    passed(model, 1, idle)
    (fault,) = idle.found()
    assert (fault.code, fault.evidence) == ("GC675", {"passes": ROW})


def test_what_another_optimizer_trains_is_excused() -> None:
    model = nn.Linear(3, 64)
    first, second = SGD(model.parameters(), lr=0.1), SGD(model.parameters(), lr=0.1)
    idle = Idle(_Known(first))
    passed(model, 4, idle)
    idle.stepping(second)
    assert not list(idle.found())


def test_what_moves_by_hand_is_excused() -> None:
    model = nn.Linear(3, 64)
    optimizer = SGD(model.parameters(), lr=0.1)
    idle = Idle(_Known(optimizer))
    passed(model, 1, idle)
    model.weight.data += 0.1
    passed(model, 4, idle)
    assert not list(idle.found())
