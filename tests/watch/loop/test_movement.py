"""Whether updates move parameters, and whether they are moved back."""

from __future__ import annotations

import torch
from torch import nn

from gradcheck_cli.watch.loop.movement import MovementCheck, is_held


def steps(moves: list[float], back: bool = False, size: int = 4) -> list[tuple[bool | None, bool]]:
    """`moved` and `reset` as they are at each update, and after the last one."""
    parameter, moving, seen = torch.zeros(size), MovementCheck(), []
    for number, move in enumerate(moves, start=1):
        moving.updating(number, [parameter])
        seen.append((moving.moved, moving.reset))
        parameter[-1] += move
        moving.updated([parameter])
        if back:
            parameter.zero_()
    return seen


def test_an_update_that_moves_and_one_that_does_not() -> None:
    assert [moved for moved, _ in steps([0.1, 0.0, 0.1, 0.0])] == [None, True, False, True]


def test_what_is_moved_back_is_reset() -> None:
    assert [reset for _, reset in steps([0.1] * 4, back=True)] == [False, True, True, True]
    assert not any(reset for _, reset in steps([0.1] * 4))
    assert not any(reset for _, reset in steps([0.0] * 4, back=True))


def test_only_the_first_updates_are_looked_at() -> None:
    assert steps([0.1] * 14)[12:] == [(None, False)] * 2


def test_where_nothing_moved_all_elements_are_looked_at_before_it_is_said() -> None:
    seen = steps([0.1] * 12, size=5000)
    assert [moved for moved, _ in seen[:10]] == [None, *[False] * 8, True]


def test_a_parameter_whose_memory_is_given_back_is_not_here() -> None:
    parameter = nn.Parameter(torch.ones(4))
    assert is_held(parameter) and is_held(nn.Parameter(torch.ones(0)))
    parameter.untyped_storage().resize_(0)
    assert not is_held(parameter)


def test_the_weights_of_the_start_are_told_once_a_round() -> None:
    layer, moving, told = nn.Linear(2, 2), MovementCheck(), []
    held, start = list(layer.parameters()), [p.detach().clone() for p in layer.parameters()]
    for number in range(1, 31):
        if number % 10 == 0:
            for p, first in zip(held, start, strict=True):
                p.data.copy_(first)
        moving.updating(number, held)
        told += [number] if moving.over else []
        for p in held:
            p.data.add_(0.1)
        moving.updated(held)
    assert told == [10, 20, 30]
