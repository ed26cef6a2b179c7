import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.timeline import LayerCourse, Point, Timeline
from gradcheck_cli.reports import Style
from gradcheck_cli.reports.charts import HEIGHT, WIDTH
from gradcheck_cli.reports.runcharts import LEVELS, alarm_marks, heat_map, run_charts
from tests.timeline.sessions import SESSIONS

VALUES = st.floats(min_value=-1e30, max_value=1e30) | st.sampled_from([math.nan, math.inf])


def of(points: list[Point], name: str = "loss", steps: int = 100) -> Timeline:
    return Timeline(command=("a.py",), status=Status.HEALTHY, exit_code=0, steps=steps, series={name: tuple(points)})


@given(st.lists(VALUES, min_size=1, max_size=30))
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
    assert chart.log and chart.reference == 0.0
    (plain,) = run_charts(of(points, "loss"), Style())
    assert plain.reference is None


@pytest.mark.parametrize("example", SESSIONS)
def test_every_alarm_has_a_mark(example: str) -> None:
    run = SESSIONS[example]().timeline()
    found = alarm_marks(run)
    assert [mark.told.partition(":")[0] for mark in found] == [f"step {alarm.step}" for alarm in run.alarms]
    assert all(0 <= mark.x <= WIDTH for mark in found)


def test_the_shades_run_from_the_least_to_the_greatest() -> None:
    courses = {
        "a": LayerCourse(steps=(1, 2, 3, 4), relative_gradient=(1e-8, 1e-8, 1e-4, None)),
        "b": LayerCourse(steps=(1, 2, 3, 4), relative_gradient=(1e-0, 0.0, math.nan, math.inf)),
    }
    found = heat_map(courses)
    assert found is not None and (found.low, found.high) == (-8.0, 0.0)
    assert [(name, [(s.start, s.length, s.level) for s in row]) for name, row in found.rows] == [
        ("a", [(0.0, 50.0, 0), (50.0, 25.0, LEVELS // 2), (75.0, 25.0, None)]),
        ("b", [(0.0, 25.0, LEVELS - 1), (25.0, 25.0, 0), (50.0, 50.0, None)]),
    ]


def test_a_large_map_is_thinned() -> None:
    steps = tuple(range(1, 401))
    course = LayerCourse(steps=steps, relative_gradient=tuple(10.0 ** -(s % 9) for s in steps))
    courses = {f"l{i}": course for i in range(200)}
    found = heat_map(courses)
    assert found is not None and len(found.rows) + found.left_out == 200 and len(found.rows) <= 60
    assert all(len(row) <= 80 for _, row in found.rows)


def test_one_step_makes_no_map() -> None:
    assert heat_map({"a": LayerCourse(steps=(1,), relative_gradient=(0.1,))}) is None
    assert heat_map({}) is None
    assert heat_map({"a": LayerCourse(steps=(1, 2), relative_gradient=(None, None))}) is None
