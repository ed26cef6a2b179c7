"""What is kept of a long run: so much at most, and every spike."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.records.timeline import Point, Vital
from gradcheck_cli.watch.downsampling import FIRST, LAST, MOST, POINTS, DownsampledSeries, VitalHistory, point_of


def kept(count: int, optimizers: int = 1) -> VitalHistory:
    found = VitalHistory()
    for step in range(1, count + 1):
        loss = 1000.0 if step == 31_337 else 1.0 / step
        own = (step - 1) // optimizers + 1
        found.append(Vital(step=step, optimizer=(step - 1) % optimizers, optimizer_step=own, loss=loss))
    return found


def test_a_run_that_is_not_long_is_kept_whole() -> None:
    found = kept(MOST)
    assert [vital.step for vital in found.vitals()] == list(range(1, MOST + 1))
    assert found.curves() == {}


@pytest.mark.parametrize("optimizers", [1, 2])
def test_of_a_long_run_the_beginning_the_window_and_some_between_are_kept(optimizers: int) -> None:
    count = 100_000
    found = kept(count, optimizers)
    steps = [vital.step for vital in found.vitals()]
    assert len(steps) <= MOST and steps == sorted(steps) and len(set(steps)) == len(steps)
    assert steps[:FIRST] == list(range(1, FIRST + 1))
    assert steps[-LAST:] == list(range(count - LAST + 1, count + 1))
    between = found.vitals()[FIRST:-LAST]
    assert {vital.optimizer for vital in between} == set(range(optimizers))
    assert found.updates == count and found.unread == {"loss": 0, "grad_norm": count}


def test_a_spike_of_one_step_survives_in_the_curve() -> None:
    curve = kept(100_000).curves()[0, "loss"]
    assert len(curve) <= POINTS
    spiked = [point for point in curve if point.max == 1000.0]
    assert len(spiked) == 1 and spiked[0].step <= 31_337
    assert curve[0].max == 1.0 and curve[-1].min == 1.0 / 100_000
    assert set(kept(MOST + 1).curves()) == {(0, "loss")}, "what has no value has no curve"


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3000))
def test_the_extremes_of_any_series_are_in_its_curve(values: list[float]) -> None:
    curve = DownsampledSeries()
    for step, value in enumerate(values, start=1):
        curve.append(step, value)
    points = curve.points()
    assert len(points) <= POINTS and points[0].step == 1
    assert min(point.min for point in points) == min(values)
    assert max(point.max for point in points) == max(values)


def test_what_is_not_finite_survives_in_a_curve() -> None:
    curve = DownsampledSeries()
    for step in range(1, 10_001):
        curve.append(step, math.nan if step == 500 else math.inf if step == 9000 else 1.0)
    assert sum(math.isnan(point.mean) and point.min == point.max == 1.0 for point in curve.points()) == 1
    assert sum(point.max == math.inf for point in curve.points()) == 1
    assert point_of(3, [math.nan, 2.0, 4.0])[:2] == (3, 2.0)
    assert point_of(1, [2.0, 4.0]) == Point(1, 2.0, 3.0, 4.0)
