"""Robust window statistics against the definitions, value by value."""

from __future__ import annotations

import random
from statistics import median_low

import pytest

from gradcheck_cli.watch.statistics import GAUSSIAN, RobustWindow


@pytest.mark.parametrize("seed", range(5))
def test_median_sigma_and_greatest_are_those_of_the_last_values(seed: int) -> None:
    rng = random.Random(seed)
    window, values = RobustWindow(11), []
    for _ in range(200):
        value = rng.choice((rng.gauss(0, 1), float(rng.randint(-3, 3)), 1e6 * rng.random()))
        values.append(value)
        window.append(value)
        last = values[-11:]
        median = median_low(last)
        deviations = sorted(abs(each - median) for each in last)
        assert len(window) == len(last)
        assert window.median == median
        assert window.greatest == max(last)
        assert window.sigma == pytest.approx(GAUSSIAN * deviations[len(last) // 2], abs=1e-9)


def test_a_constant_window_has_no_spread() -> None:
    window = RobustWindow(5)
    for _ in range(9):
        window.append(2.5)
    assert (window.median, window.greatest, window.sigma) == (2.5, 2.5, 0.0)


def test_after_values_without_any_noise_nothing_is_a_spike() -> None:
    window = RobustWindow(20)
    for _ in range(20):
        window.append(0.0)
    assert window.spike(5.0, 0.0) == 0.0
    assert window.spike(5.0, 0.1) == 50.0
