import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.records.timeline import Point
from gradcheck_cli.reports.curves import axis_of, curve, marks, numbered


def points(*values: float) -> list[Point]:
    return [Point(step, value, value, value) for step, value in enumerate(values, start=1)]


def line(*values: float, room: int = 60, unicode: bool = True) -> str:
    return curve(points(*values), axis_of(len(values), room), unicode).line


def test_a_curve_within_two_decades_is_linear() -> None:
    drawn = curve(points(1.0, 4.5, 8.0), axis_of(3, 60))
    assert (drawn.line, drawn.log, drawn.first, drawn.last) == ("▁▅█", False, 1.0, 8.0)


def test_a_curve_over_decades_is_logarithmic() -> None:
    drawn = curve(points(1e-7, 1.0, 1e7), axis_of(3, 60))
    assert drawn.log
    assert drawn.line == "▁▅█"


def test_a_curve_that_passes_zero_is_linear() -> None:
    assert not curve(points(-50.0, 0.0, 1e6), axis_of(3, 60)).log


def test_what_is_not_finite_is_marked_and_does_not_bend_the_rest() -> None:
    assert line(1.0, math.nan, math.inf, -math.inf, 8.0) == "▁×××█"
    assert line(1.0, math.nan, 8.0, unicode=False) == "_x#"
    assert line(math.nan) == "×"


def test_a_curve_that_never_moves_is_low() -> None:
    assert line(0.0, 0.0, 0.0) == "▁▁▁"


def test_a_spike_of_one_step_in_many_is_seen() -> None:
    assert line(*([1.0] * 500), 9.0, *([1.0] * 499), room=50) == "▁" * 25 + "█" + "▁" * 24


def test_a_point_over_many_steps_that_holds_a_nan_is_marked() -> None:
    wide = [Point(1, 1.0, 1.5, 2.0), Point(26, 1.0, math.nan, 2.0), Point(51, 3.0, 3.5, 4.0)]
    assert curve(wide, axis_of(75, 3)).line == "▁×█"


def test_steps_of_another_optimiser_leave_gaps() -> None:
    sparse = [Point(1, 1.0, 1.0, 1.0), Point(3, 2.0, 2.0, 2.0)]
    assert curve(sparse, axis_of(4, 60)).line == "▁ █ "


def test_marks_stand_below_their_steps() -> None:
    axis = axis_of(100, 50)
    assert marks([(1, "A"), (100, "B"), (51, "C")], axis) == "A" + " " * 24 + "C" + " " * 23 + "B"
    assert marks([(1, "A"), (2, "B")], axis) == "A"
    assert marks([], axis) == ""


def test_numbers_that_would_meet_are_left_out() -> None:
    axis = axis_of(160, 40)
    assert numbered([73, 1, 160], axis) == "1" + " " * 17 + "73" + " " * 17 + "160"
    assert numbered([80, 82, 1, 160], axis) == numbered([80, 1, 160], axis)
    assert numbered([1, 1], axis_of(1, 40)) == "1"


@pytest.mark.parametrize("room", [-5, 0, 1, 2])
def test_no_room(room: int) -> None:
    axis = axis_of(1000, room)
    assert axis.columns == max(1, room)
    assert len(curve(points(*range(1, 1001)), axis).line) == axis.columns
    assert len(numbered([1000, 1], axis)) <= axis.columns


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=300),
    st.integers(1, 120),
    st.booleans(),
)
def test_any_series_can_be_drawn(values: list[float], room: int, unicode: bool) -> None:
    drawn = line(*values, room=room, unicode=unicode)
    assert len(drawn) == min(room, len(values))
    assert unicode or drawn.isascii()
