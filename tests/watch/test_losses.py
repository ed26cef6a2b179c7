"""The series of one optimiser: when something is raised, in hand-written losses and norms."""

from __future__ import annotations

import random

import pytest

from gradcheck_cli.records.timeline import AlarmKind, Raised, Vital
from gradcheck_cli.watch.losses import Losses


def raised(
    losses: list[float | None], norms: list[float | None] | None = None, phases: list[int] | None = None
) -> list[Raised]:
    series, out = Losses(), []
    for i, loss in enumerate(losses):
        vital = Vital(step=i + 1, loss=loss, grad_norm=norms[i] if norms else None, phase=phases[i] if phases else 0)
        out += series.see(vital, game=False)
    return out


def noisy(count: int, level: float = 1.0, size: float = 0.05) -> list[float | None]:
    rng = random.Random(0)
    return [level + rng.gauss(0, size) for _ in range(count)]


def test_noise_raises_nothing() -> None:
    assert raised(noisy(500), noisy(500)) == []
    assert raised(noisy(500, 0.0)) == []


def test_a_spike_of_the_loss_is_raised_at_its_step() -> None:
    (alarm,) = raised([*noisy(60), 3.0, *noisy(30)])
    assert (alarm.kind, alarm.step, alarm.optimizer) == (AlarmKind.LOSS_SPIKE, 61, 0)
    assert alarm.evidence["loss"] == 3.0
    assert alarm.message.startswith("the loss jumped to 3, from ")


def test_a_spike_of_the_norm_is_raised_without_one_of_the_loss() -> None:
    (alarm,) = raised(noisy(90), [*noisy(60), 50.0, *noisy(29)])
    assert (alarm.kind, alarm.step) == (AlarmKind.GRAD_SPIKE, 61)


def test_one_event_is_raised_once() -> None:
    assert len(raised([*noisy(60), *[3.0 + i for i in range(20)]])) == 1


def test_a_spike_like_one_the_run_came_back_from_is_not_news() -> None:
    losses = [*noisy(60), 3.0, *noisy(60), 3.1, *noisy(60), 9.0, *noisy(60)]
    assert [alarm.step for alarm in raised(losses)] == [61, 183]


def test_a_known_spike_that_stays_is_raised_late() -> None:
    losses = [*noisy(60), 3.0, *noisy(60), *noisy(60, 3.0)]
    assert [alarm.step for alarm in raised(losses)] == [61, 146]


@pytest.mark.parametrize("constant", [0.0, 2.302585, -1e6])
def test_rounding_of_a_constant_loss_raises_nothing(constant: float) -> None:
    losses: list[float | None] = [constant * (1 + 2**-9 * (i % 7 == 3)) for i in range(300)]
    assert raised(losses, [0.0] * 300) == []


def test_an_early_explosion_needs_no_statistics() -> None:
    (alarm,) = raised([2.0, 2.1, 9e3])
    assert (alarm.kind, alarm.step) == (AlarmKind.DIVERGING, 3)
    (alarm,) = raised([-2.0, -20.0, -200.0, -2e3], [1.0, 40.0, 900.0, 3e4])
    assert (alarm.kind, alarm.step) == (AlarmKind.DIVERGING, 4)
    assert raised([2.0, 2.1, 900.0]) == []


def test_a_slow_climb_is_raised() -> None:
    losses = [2.0 - 0.01 * i for i in range(150)] + [0.5 + 0.01 * i for i in range(200)]
    (alarm,) = raised(list(losses))
    assert alarm.kind is AlarmKind.DIVERGING
    assert 200 < alarm.step < 300


def test_a_new_phase_starts_anew() -> None:
    losses = noisy(60) + noisy(60, 5.0)
    assert len(raised(losses)) == 1
    assert raised(losses, phases=[0] * 60 + [1] * 60) == []


def test_norms_alone_raise_too() -> None:
    (alarm,) = raised([None] * 61, [*noisy(60), 50.0])
    assert alarm.kind is AlarmKind.GRAD_SPIKE
    assert "loss_before" not in alarm.evidence
