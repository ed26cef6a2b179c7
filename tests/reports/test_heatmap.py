import math

import pytest

from gradcheck_cli.records.timeline import LayerCourse
from gradcheck_cli.reports.heatmap import LEVELS, heat_map


def test_the_shades_run_from_the_least_to_the_greatest() -> None:
    courses = {
        "a": LayerCourse(steps=(1, 2, 3, 4), relative_gradient=(1e-8, 1e-8, 1e-4, None)),
        "b": LayerCourse(steps=(1, 2, 3, 4), relative_gradient=(1e-0, 0.0, math.nan, math.inf)),
    }
    found = heat_map(courses, 5)
    assert found is not None and (found.low, found.high) == (-8.0, 0.0)
    assert [(name, [(s.start, s.length, s.level) for s in row]) for name, row in found.rows] == [
        ("a", [(0.0, 50.0, 0), (50.0, 25.0, LEVELS // 2)]),  # it has no gradient at the last
        ("b", [(0.0, 25.0, LEVELS - 1), (25.0, 25.0, 0), (50.0, 50.0, None)]),
    ]


def test_a_large_map_is_thinned() -> None:
    steps = tuple(range(1, 401))
    course = LayerCourse(steps=steps, relative_gradient=tuple(10.0 ** -(s % 9) for s in steps))
    courses = {f"l{i}": course for i in range(200)}
    found = heat_map(courses, 400)
    assert found is not None and len(found.rows) + found.left_out == 200 and len(found.rows) <= 60
    assert all(len(row) <= 80 for _, row in found.rows)


@pytest.mark.parametrize(("value", "level"), [(1e3, LEVELS - 1), (math.nan, None), (math.inf, None)])
def test_a_spike_survives_the_thinning_of_a_map(value: float, level: int | None) -> None:
    for at in range(1, 401):
        steps = tuple(range(1, 401))
        course = LayerCourse(steps=steps, relative_gradient=tuple(value if s == at else 1e-3 for s in steps))
        found = heat_map({"a": course}, 400)
        assert found is not None and level in [stretch.level for stretch in found.rows[0][1]]


def test_a_map_lies_below_the_charts_step_by_step() -> None:
    course = LayerCourse(steps=(1, 3, 11), relative_gradient=(1e-3, 1.0, 1e-3))
    found = heat_map({"a": course}, 21)
    assert found is not None and [(s.start, s.length) for s in found.rows[0][1]] == [(0, 10), (10, 40), (50, 50)]


def test_one_step_makes_no_map() -> None:
    assert heat_map({"a": LayerCourse(steps=(1,), relative_gradient=(0.1,))}, 9) is None
    assert heat_map({}, 9) is None
    assert heat_map({"a": LayerCourse(steps=(1, 2), relative_gradient=(None, None))}, 9) is None
