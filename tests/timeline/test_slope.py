"""A loss at its end: what still falls, and what only looks like it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from gradcheck_cli.records.timeline import Vital
from gradcheck_cli.timeline.slope import still_falling


def course(losses: Sequence[float], phase: int = 0) -> list[Vital]:
    return [Vital(step=i, optimizer_step=i, loss=loss, phase=phase) for i, loss in enumerate(losses, start=1)]


def noisy(losses: Sequence[float], share: float = 0.05, seed: int = 0) -> list[float]:
    rng = random.Random(seed)
    return [loss * math.exp(rng.gauss(0, share)) for loss in losses]


def test_a_loss_that_falls_to_the_end_is_told_by_how_much() -> None:
    """exp(-t/1000) falls by 1 - exp(-0.1) in a hundred updates."""
    found = still_falling(course([math.exp(-t / 1000) for t in range(300)]))
    assert found == pytest.approx(1 - math.exp(-0.1), rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_noise_does_not_hide_a_clear_fall(seed: int) -> None:
    found = still_falling(course(noisy([math.exp(-t / 400) for t in range(600)], 0.03, seed)))
    assert found == pytest.approx(0.23, abs=0.05)


@pytest.mark.parametrize(
    "losses",
    [
        noisy([0.3 + math.exp(-t / 30) for t in range(400)]),  # has settled
        [1e-9 + math.exp(-t / 25) for t in range(400)],  # next to nothing is left of what was learned
        [math.exp(-t / 300) - 1 for t in range(400)],  # below 0
        [math.exp(-t / 300) for t in range(239)],  # too short
        [1.0 + t / 400 for t in range(400)],  # rises
        [1.0] * 400,
        [1.0 + 0.5 * math.cos(math.pi * t / 50) for t in range(400)],  # swings
        [0.2 + 0.4 * (1 + math.cos(math.pi * min(t / 280, 1))) for t in range(400)],  # a cosine that has ended
    ],
)
def test_what_does_not_fall_any_more_is_not_told(losses: Sequence[float]) -> None:
    assert still_falling(course(losses)) is None


def test_noise_alone_never_falls() -> None:
    found = [still_falling(course(noisy([1.0] * 300, 0.3, seed))) for seed in range(300)]
    assert sum(each is not None for each in found) <= 1


def test_a_new_phase_is_not_held_against_the_one_before() -> None:
    losses = [math.exp(-t / 300) for t in range(400)]
    assert still_falling(course(losses)) is not None
    assert still_falling(course(losses[:360]) + course(losses[360:], phase=1)) is None
