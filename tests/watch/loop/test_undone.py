"""Weights that something but the optimiser moves back."""

from __future__ import annotations

import torch
from torch import nn

from gradcheck_cli.watch.loop.undone import Undone


def moved(*writes: float | None, updates: int = 3) -> int:
    """How often it was seen: after each so many updates by 1, the weights are put at that share of their way."""
    weight = nn.Parameter(torch.zeros(8))
    undone, base = Undone(), torch.zeros(8)
    with torch.no_grad():
        for share in writes:
            for _ in range(updates):
                undone.updating()
                weight.add_(1.0)
                undone.updated([weight])
            if share is not None:
                weight.copy_(base + share * (weight - base))
                base = weight.clone()
    undone.updating()
    return undone.times


def test_an_average_that_stays_is_seen_each_time_but_the_first() -> None:
    assert moved(0.01, 0.01, 0.01, 0.01) == 3


def test_weights_that_nothing_else_moves_are_not() -> None:
    assert moved(None, None, None) == 0


def test_weights_that_are_put_back_where_they_were_are_not() -> None:
    assert moved(1.0, 1.0, 1.0) == 0


def test_meeting_halfway_is_not() -> None:
    assert moved(0.5, 0.5, 0.5, 0.5) == 0


def test_nothing_is_looked_at_where_there_is_no_plain_parameter() -> None:
    undone = Undone()
    undone.updated([nn.Parameter(torch.ones(1))])
    undone.updating()
    assert undone.times == 0
