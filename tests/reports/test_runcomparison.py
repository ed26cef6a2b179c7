import math
from dataclasses import replace

from gradcheck_cli.records.timeline import Point, Timeline
from gradcheck_cli.reports import Style, render
from gradcheck_cli.reports.comparison import course_in_words
from gradcheck_cli.reports.runcomparison import compare_runs
from tests.timeline.sessions import healthy, nan

RUN = healthy().timeline()


def of(values: list[float], stride: int = 1) -> Timeline:
    points = (Point(1 + stride * place, value, value, value) for place, value in enumerate(values))
    return replace(RUN, series={"loss": tuple(points)})


def told(before: Timeline, after: Timeline) -> str:
    (check,) = compare_runs(before, after, ("a", "b")).checks
    (course,) = check.courses
    return course_in_words(course)


def test_a_run_is_the_same_as_itself() -> None:
    (check,) = compare_runs(RUN, RUN, ("a", "b")).checks
    assert not check.changed and all(course.parted is None for course in check.courses)


def test_where_they_part_is_told() -> None:
    words = told(of([3.0, 2.0, 1.0]), of([3.0, 2.0, 5.0]))
    assert words == "loss is the same up to step 2, differs from step 3 on, and ends at 5, before at 1"
    assert told(of([3.0, 1.0]), of([4.0, 1.0])).startswith("loss differs from the first step on")
    assert "the last of the shorter run" in told(of([3.0, 2.0]), of([3.0, 2.0, 1.0]))
    assert "parts" not in told(of([math.nan, 1.0]), of([math.nan, 1.0]))


def test_rounding_is_no_difference() -> None:
    assert "differs" not in told(of([1.0, 2.0]), of([1.0 + 1e-7, 2.0]))
    assert "differs" in told(of([1.0, 2.0]), of([1.0 + 1e-5, 2.0]))


def test_series_of_other_resolutions_are_held_by_their_ends() -> None:
    assert told(of([3.0, 2.0, 1.0]), of([3.0, 2.0], stride=5)) == "loss ends at 2, before at 1"


def test_findings_are_new_or_fixed_whatever_their_step() -> None:
    (check,) = compare_runs(RUN, nan().timeline(), ("a", "b")).checks
    assert {change.code for change in check.new} == {"GC630", "GC104"} and check.changed
    (back,) = compare_runs(nan().timeline(), RUN, ("a", "b")).checks
    assert {change.code for change in back.fixed} == {"GC630", "GC104"}


def test_the_table_tells_it() -> None:
    text = render(compare_runs(RUN, nan().timeline(), ("a.json", "b.json")), "table", Style(width=120))
    assert "a.json → b.json" in text and "|grad| differs from the first step on, and ends at nan" in text
    assert text.splitlines()[-1] == "2 new, 0 fixed, 0 still there"
