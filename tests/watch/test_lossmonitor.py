"""The series of one optimiser: when something is raised, in hand-written losses and norms."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import AlarmKind, Outcome, Raised, Vital
from gradcheck_cli.watch.lossmonitor import LossMonitor


def raised(
    losses: list[float | None], norms: list[float | None] | None = None, phases: list[int] | None = None
) -> list[Raised]:
    series, out = LossMonitor(), []
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


def test_a_rise_that_begins_like_one_that_passed_is_raised_once_it_is_far_above_that() -> None:
    again = [1.6, 1.7, 3.0, 60.0, 4e3, 1e6]
    first, then = raised([*noisy(60), 1.6, 1.6, *noisy(60), *again])
    assert (first.step, then.step) == (61, 125)
    assert then.message.startswith("the loss, which began to rise at step 123, is at 3, from ")


def test_a_spike_of_the_norm_is_raised_without_one_of_the_loss() -> None:
    (alarm,) = raised(noisy(90), [*noisy(60), 50.0, *noisy(29)])
    assert (alarm.kind, alarm.step) == (AlarmKind.GRAD_SPIKE, 61)


def updated(losses: list[float | None], updates: list[float]) -> tuple[list[Raised], LossMonitor]:
    """Every update is sampled, and heard of at the next."""
    series, out = LossMonitor(), []
    for i, (loss, update) in enumerate(zip(losses, updates, strict=True), start=1):
        out += series.see(Vital(step=i, loss=loss, grad_norm=1.0), game=False)
        series.sampled(Sample(step=i, update=update))
    return out, series


def test_a_spike_of_the_update_is_raised_at_the_step_after_it_before_the_losses() -> None:
    falling = [2.0 * 0.98**i for i in range(60)]
    out, series = updated([*falling, *[3.0] * 130], [1e-3] * 59 + [0.4] + [1e-3] * 130)
    assert [(alarm.kind, alarm.step) for alarm in out] == [(AlarmKind.UPDATE_SPIKE, 61)]
    assert out[0].message == (
        "the update of step 60 moved the weights by 0.4 of themselves, 59.9 sigmas above its median; explained by the "
        "step after it, since its own had passed when it was seen"
    )
    assert out[0].evidence["update_step"] == 60
    (judged,) = series.judged(game=False)
    assert judged.outcome is Outcome.CONFIRMED


def test_a_spike_of_the_update_that_the_loss_does_not_follow_is_recovered() -> None:
    out, series = updated(noisy(150), [1e-3] * 59 + [0.4] + [1e-3] * 90)
    assert [alarm.kind for alarm in out] == [AlarmKind.UPDATE_SPIKE]
    assert series.judged(game=False)[0].outcome is Outcome.RECOVERED


def test_a_spike_of_the_update_is_not_blamed_for_what_comes_later() -> None:
    later = [*noisy(10), *(1.0 + min(step / 10, 1.0) for step in range(110))]  # rewards, a target that moves
    _, series = updated([2.0] * 5 + noisy(55) + later, [1e-3] * 59 + [0.4] + [1e-3] * 120)
    (mine,) = [each for each in series.judged(game=False) if each.raised.kind is AlarmKind.UPDATE_SPIKE]
    assert mine.outcome is not Outcome.CONFIRMED


def test_a_loss_of_0_is_not_wiped_out_by_a_spike_of_the_update() -> None:
    _, series = updated([0.0] * 90, [1e-3] * 59 + [0.4] + [1e-3] * 30)
    assert all(judged.outcome is not Outcome.CONFIRMED for judged in series.judged(game=False))


def test_a_new_phase_forgets_the_sizes_of_updates() -> None:
    series = LossMonitor()
    for step in range(1, 90):
        series.see(Vital(step=step, loss=1.0, phase=step > 50), game=False)
        series.sampled(Sample(step=step, update=1e-3 if step <= 51 else 0.4))
    assert series.judged(game=False) == ()


def test_one_event_is_raised_once() -> None:
    assert len(raised([*noisy(60), *[3.0 + i for i in range(20)]])) == 1


def test_a_spike_like_one_the_run_came_back_from_is_not_news() -> None:
    losses = [*noisy(60), 3.0, *noisy(60), 3.1, *noisy(60), 9.0, *noisy(60)]
    assert [alarm.step for alarm in raised(losses)] == [61, 183]


def test_a_loss_that_had_left_some_updates_before_is_held_against_what_it_was() -> None:
    """A jump that the spread of a fall hides, and a larger one four updates later: 0.1 was lost, not 1.4."""
    falling = [2.0 * 0.93**i for i in range(40)]
    series = LossMonitor()
    losses = [*falling, 1.4, 1.4, 1.4, 1.4, 30.0, *[1.4] * 120]
    out = [each for i, loss in enumerate(losses, 1) for each in series.see(Vital(step=i, loss=loss), game=False)]
    assert [(alarm.kind, alarm.step) for alarm in out] == [(AlarmKind.LOSS_SPIKE, 45)]
    assert out[0].evidence["loss_before"] == pytest.approx(falling[36])
    assert series.judged(game=False)[0].outcome is Outcome.CONFIRMED


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
    (alarm,) = raised([2.0 * 1.8**i for i in range(15)])
    assert (alarm.kind, alarm.step) == (AlarmKind.DIVERGING, 13)


def test_a_slow_climb_is_raised() -> None:
    losses = [2.0 - 0.01 * i for i in range(150)] + [0.5 + 0.01 * i for i in range(200)]
    (alarm,) = raised(list(losses))
    assert alarm.kind is AlarmKind.DIVERGING
    assert 200 < alarm.step < 300


def test_a_slow_climb_that_ends_in_nan_is_raised_once_and_goes_on() -> None:
    climbing = [2.0 - 0.01 * i for i in range(150)] + [0.5 + 0.01 * i for i in range(200)]
    (alarm,) = raised([*climbing, *[math.nan] * 60])
    assert alarm.kind is AlarmKind.DIVERGING
    assert raised([*climbing[:200], *[None] * 60, *climbing[260:]]) != []


@given(
    st.lists(
        st.tuples(st.sampled_from((0.0, 0.5, 1.0, 1.1, 30.0, 1e30, math.inf, None)), st.integers(1, 60)), max_size=9
    ),
    st.lists(st.tuples(st.sampled_from((0.0, 1.0, 1.2, 90.0, 1e30, math.nan, None)), st.integers(1, 60)), max_size=9),
)
def test_a_value_that_is_missing_at_any_step_ends_nothing(losses: Any, norms: Any) -> None:
    series = LossMonitor()
    length = sum(count for _, count in losses)
    of_norms = [norm for norm, count in norms for _ in range(count)] + [None] * length
    for i, (loss, norm) in enumerate(zip([x for x, count in losses for _ in range(count)], of_norms, strict=False)):
        for alarm in series.see(Vital(step=i + 1, loss=loss, grad_norm=norm, phase=0), game=False):
            assert "None" not in alarm.message
        if loss is None or norm is None or not math.isfinite(loss + norm):
            series.broke(i + 1, game=False)


def test_a_loss_that_is_masked_at_first_is_no_level_to_spike_from() -> None:
    learning = [0.7 * 0.99**i for i in range(100)]
    assert raised([0.0] * 50 + learning, [0.0] * 50 + learning) == []


def test_a_new_phase_starts_anew() -> None:
    losses = noisy(60) + noisy(60, 5.0)
    assert len(raised(losses)) == 1
    assert raised(losses, phases=[0] * 60 + [1] * 60) == []


def test_norms_alone_raise_too() -> None:
    (alarm,) = raised([None] * 61, [*noisy(60), 50.0])
    assert alarm.kind is AlarmKind.GRAD_SPIKE
    assert "loss_before" not in alarm.evidence
