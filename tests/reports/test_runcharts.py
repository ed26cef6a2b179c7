import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.timeline import Point, Timeline, Use
from gradcheck_cli.reports import Style
from gradcheck_cli.reports.charts import HEIGHT, WIDTH
from gradcheck_cli.reports.runcharts import alarm_marks, not_drawn, run_charts
from tests.timeline.sessions import SESSIONS

VALUES = st.floats(min_value=-1e30, max_value=1e30) | st.sampled_from([math.nan, math.inf])


def of(points: list[Point], name: str = "loss", steps: int = 100) -> Timeline:
    return Timeline(command=("a.py",), status=Status.HEALTHY, exit_code=0, steps=steps, series={name: tuple(points)})


@given(st.lists(VALUES, min_size=2, max_size=30))
def test_everything_lies_in_the_chart(values: list[float]) -> None:
    points = [Point(step, value, value, value) for step, value in enumerate(values, 1)]
    (chart,) = run_charts(of(points, steps=len(values)), Style())
    drawn = [place for stretch in (*chart.lines, *chart.bands) for place in stretch]
    assert all(0 <= x <= WIDTH and -1e-6 <= y <= HEIGHT + 1e-6 for x, y in drawn)
    assert all(0 <= start <= end <= WIDTH for start, end in chart.bad)
    assert sum(map(len, chart.lines)) == sum(map(math.isfinite, values))
    assert bool(chart.bad) != all(map(math.isfinite, values))


def test_a_spike_within_a_stretch_is_in_its_band() -> None:
    points = [Point(1, 1.0, 1.0, 1.0), Point(50, 1.0, 2.0, 1000.0), Point(100, 1.0, 1.0, 1.0)]
    (chart,) = run_charts(of(points), Style())
    assert chart.log and min(y for _, y in chart.bands[0]) == 0.0


def test_a_curve_is_broken_where_it_is_not_finite() -> None:
    points = [Point(1, 1, 1, 1), Point(2, 1, math.nan, 1), Point(3, 1, 1, 1), Point(4, 1, math.inf, math.inf)]
    (chart,) = run_charts(of(points, steps=5), Style())
    assert [len(line) for line in chart.lines] == [1, 1]
    assert chart.bad == ((WIDTH / 4, WIDTH / 2), (3 * WIDTH / 4, WIDTH))


def test_updates_are_held_against_a_thousandth() -> None:
    points = [Point(1, 1e-5, 1e-5, 1e-5), Point(100, 1e-4, 1e-4, 1e-4)]
    (chart,) = run_charts(of(points, "update_ratio"), Style())
    assert chart.log and chart.reference is not None and chart.reference.y == 0.0
    (plain,) = run_charts(of(points, "loss"), Style())
    assert plain.reference is None


def test_norms_are_held_against_what_they_were_clipped_to() -> None:
    points = [Point(1, 0.5, 0.5, 0.5), Point(100, 4.5, 4.5, 4.5)]
    series = {"grad_norm": tuple(points), "grad_norm/1": tuple(points)}
    run = replace(of(points), series=series, optimizers=(Use(clipped=3, clip_limit=2.5), Use(optimizer=1, clipped=0)))
    first, second = run_charts(run, Style())
    assert first.reference is not None and (first.reference.y, first.reference.told) == (
        HEIGHT / 2,
        "clipped to a norm of 2.5",
    )
    assert second.reference is None


def test_a_limit_that_shortens_nothing_is_no_line() -> None:
    points = [Point(1, 0.5, 0.5, 0.5), Point(100, 4.5, 4.5, 4.5)]
    for use in (Use(clipped=0, clip_limit=1e9), Use(clipped=2, clip_limit=math.inf), Use(clipped=2)):
        (chart,) = run_charts(replace(of(points, "grad_norm"), optimizers=(use,)), Style())
        assert chart.reference is None


def test_updates_that_were_skipped_are_marked_where_they_were() -> None:
    points = [Point(1, 0.5, 0.5, 0.5), Point(51, 1.0, math.nan, 1.0), Point(101, 0.5, 0.5, 0.5)]
    skipped = (Point(1, 0, 0, 0), Point(51, 0, 0.5, 1), Point(101, 0, 0, 0))
    series = {"loss": tuple(points), "grad_norm": tuple(points), "skipped": skipped}
    loss, norm = run_charts(replace(of(points, steps=101), series=series), Style())
    assert (loss.skips, norm.skips) == ((), (WIDTH / 2,))


def test_losses_come_first() -> None:
    points = (Point(1, 1, 1, 1), Point(2, 2, 2, 2))
    run = replace(of([]), series=dict.fromkeys(("loss", "grad_norm", "loss/1", "grad_norm/1"), points))
    assert [chart.label for chart in run_charts(run, Style())][:2] == ["loss", "loss of optimizer 1"]


@pytest.mark.parametrize("example", SESSIONS)
def test_every_alarm_has_a_mark(example: str) -> None:
    run = SESSIONS[example]().timeline()
    found = alarm_marks(run)
    assert [mark.told.partition(":")[0] for mark in found] == [f"step {alarm.step}" for alarm in run.alarms]
    assert all(0 <= mark.x <= WIDTH for mark in found)


def sampled(**series: list[Point]) -> Timeline:
    """A run with a loss, a gradient norm, and what was read of its sampled steps."""
    level = (Point(1, 1.0, 1.0, 1.0), Point(100, 0.5, 0.5, 0.5))
    named = {name: tuple(points) for name, points in series.items()}
    return replace(of([]), series={"loss": level, "grad_norm": level, **named})


def test_what_has_nothing_to_show_has_no_chart_and_is_named_with_the_reason() -> None:
    curve, nothing = [Point(8, 0.1, 0.1, 0.1), Point(90, 0.2, 0.2, 0.2)], [Point(8, 0, 0, 0), Point(90, 0, 0, 0)]
    run = sampled(
        update_ratio=curve, output_rms=curve, own_batch_descent=curve[:1], dead=nothing, distinguishability=curve
    )
    assert [chart.label for chart in run_charts(run, Style())] == [
        "loss",
        "|grad|",
        "|dw|/|w|",
        "output RMS",
        "differing share",
    ]
    assert not_drawn(run, Style()) == (
        "Adam's RMS (no optimizer that divides by past gradients, as Adam does); descent (read at one step only); "
        "dead (0 throughout); saturated (no sigmoid, tanh or the like was called)"
    )
    assert "dead" in [chart.label for chart in run_charts(run, Style(verbose=True))]


def test_where_no_step_was_sampled_or_taken_again_that_is_said_once() -> None:
    rest = "descent, differing share, dead, saturated, output RMS"
    assert not_drawn(sampled(), Style()) == f"|dw|/|w|, Adam's RMS, {rest} (no step was sampled)"
    moved = sampled(update_ratio=[Point(8, 0.1, 0.1, 0.1), Point(9, 0.2, 0.2, 0.2)])
    assert not_drawn(moved, Style()).endswith(f"; {rest} (no step was taken again to read them)")
    assert not_drawn(replace(of([]), series={}), Style()) == ""


@pytest.mark.parametrize(
    ("value", "low", "high"), [(0.002, "0.001", "0.003"), (-4.0, "-6", "-2"), (0.0, "-0.5", "0.5")]
)
def test_a_curve_that_stays_has_an_axis_of_its_own_size(value: float, low: str, high: str) -> None:
    (chart,) = run_charts(of([Point(step, value, value, value) for step in (1, 50, 100)]), Style())
    assert [text for _, text in chart.ticks] == [high, f"{value:.3g}", low]


def test_a_loss_of_one_step_is_no_curve() -> None:
    run = of([Point(1, 1.0, 1.0, 1.0)], steps=1)
    assert run_charts(run, Style()) == []
    assert not_drawn(run, Style()).startswith("loss (read at one step only); |grad| (not to be read); ")
