import math

from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.records.session import LayerSample, Process, Sample, Whole
from gradcheck_cli.records.timeline import Point, Vital
from gradcheck_cli.timeline.courses import courses_of, downsampled, series_of
from gradcheck_cli.watch.downsampling import POINTS
from tests.timeline.sessions import vitals


def test_a_short_series_is_kept_as_it_is() -> None:
    assert downsampled([(1, 2.0), (3, 1.0)]) == (Point(1, 2.0, 2.0, 2.0), Point(3, 1.0, 1.0, 1.0))
    assert downsampled([]) == ()


def test_a_long_series_keeps_its_spikes() -> None:
    values = [(step, 1000.0 if step == 7777 else 1.0) for step in range(1, 10_001)]
    points = downsampled(values)
    assert len(points) == POINTS
    spiked = [point for point in points if point.max == 1000.0]
    assert [(point.step, point.min) for point in spiked] == [(7776, 1.0)]
    assert spiked[0].mean == (1000.0 + 24 * 1.0) / 25


def test_values_that_are_not_finite_survive() -> None:
    values = [(step, math.nan if step == 500 else math.inf if step == 9000 else 1.0) for step in range(1, 10_001)]
    points = {point.step: point for point in downsampled(values)}
    assert math.isnan(points[476].mean) and (points[476].min, points[476].max) == (1.0, 1.0)
    assert (points[8976].min, points[8976].mean, points[8976].max) == (1.0, math.inf, math.inf)
    assert all(map(math.isnan, downsampled([(1, math.nan)])[0][1:]))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=2000))
def test_the_extremes_and_the_mean_of_any_series_are_kept(values: list[float]) -> None:
    points = downsampled(list(enumerate(values, start=1)))
    assert len(points) <= POINTS
    assert min(point.min for point in points) == min(values)
    assert max(point.max for point in points) == max(values)
    assert all(point.min - 1e-6 <= point.mean <= point.max + 1e-6 for point in points)


def test_every_optimiser_has_its_series_and_what_was_not_had_has_none() -> None:
    first = vitals([1.0, 0.9], scale=1024.0)
    second = (Vital(step=3, optimizer=1, loss=5.0), Vital(step=4, optimizer=1, loss=None))
    series = series_of(Process(pid=1, vitals=(*first, *second)))
    assert list(series) == ["loss", "grad_norm", "scale", "loss/1"]
    assert [point.step for point in series["loss/1"]] == [3]


def test_what_is_sampled_has_series_over_its_layers() -> None:
    first = Sample(step=16, loss=2.0, after=1.5, update=1e-3, update_rms=0.9, output_rms={"a": 1.0, "b": 3.0})
    second = Sample(step=32, loss=-1.0, after=-0.5, dead={"c": 0.5}, saturated={"c": 0.25}, distinguishability=0.1)
    other = Sample(step=17, optimizer=1, update=0.5)
    watched = (*vitals([1.0] * 16), Vital(step=17, optimizer=1), Vital(step=18))
    series = series_of(Process(pid=1, vitals=watched, samples=(first, other, second)))
    assert series["update_ratio"] == (Point(16, 1e-3, 1e-3, 1e-3),)
    assert [(p.step, p.mean) for p in series["own_batch_descent"]] == [(16, 0.25), (32, -0.5)]
    assert (series["adam_rms"][0].mean, series["distinguishability"][0].step) == (0.9, 32)
    assert series["output_rms"] == (Point(16, 1.0, 2.0, 3.0),)
    assert (series["dead"][0].max, series["saturated"][0].max) == (0.5, 0.25)
    assert [p.step for p in series["update_ratio/1"]] == [17]


def test_a_long_series_of_several_values_a_step_is_cut_between_steps() -> None:
    points = downsampled([(step, value) for step in range(1, 801) for value in (0.0, 6.0, 3.0)])
    assert len(points) == POINTS
    assert points[1] == Point(3, 0.0, 3.0, 6.0)


def test_layers_have_the_scale_of_their_output_where_it_was_sampled() -> None:
    layers = [LayerSample(step=s, relative_gradient={"a": 0.1}) for s in (1, 2)]
    samples = [Sample(step=16, output_rms={"a": 2.0}), Sample(step=20), Sample(step=32, output_rms={"b": 1.0})]
    courses = courses_of(layers, samples)
    assert (courses["a"].output_steps, courses["a"].output_rms) == ((16, 32), (2.0, None))
    assert (courses["b"].relative_gradient, courses["b"].output_rms) == ((None, None), (None, 1.0))


def test_layers_have_a_value_at_each_sampled_step() -> None:
    samples = [LayerSample(step=s, relative_gradient={"a": 0.1} if s < 3 else {"a": None, "b": 2.0}) for s in (1, 2, 3)]
    courses = courses_of(samples)
    assert courses["a"].steps == courses["b"].steps == (1, 2, 3)
    assert courses["a"].relative_gradient == (0.1, 0.1, None)
    assert courses["b"].relative_gradient == (None, None, 2.0)


def test_layers_are_thinned() -> None:
    samples = [LayerSample(step=s, relative_gradient={"a": 0.1}) for s in range(1, 1001)]
    assert courses_of(samples)["a"].steps == tuple(range(1, 1001, 3))


def test_the_curves_of_a_long_run_are_those_of_all_its_vitals() -> None:
    drawn = (Point(1, 0.5, 1.0, 9.0),)
    whole = Whole(judged=(), updates=90_000, unread={}, curves={(0, "loss"): drawn})
    assert series_of(Process(pid=1, vitals=vitals([1.0] * 3), whole=whole))["loss"] == drawn


def test_many_layers_have_fewer_points_each() -> None:
    layers = [LayerSample(step=step, relative_gradient={f"a.{i}": 1.0 for i in range(500)}) for step in range(1, 401)]
    courses = courses_of(layers)
    assert len(courses) == 500 and len(courses["a.0"].steps) == 100


def test_updates_that_were_skipped_are_a_series_where_there_are_any() -> None:
    made = tuple(Vital(step=step, loss=1.0, scale=2.0, skipped=step == 3) for step in range(1, 5))
    assert [point.max for point in series_of(Process(pid=1, vitals=made))["skipped"]] == [0, 0, 1, 0]
    assert "skipped" not in series_of(Process(pid=1, vitals=made[:2]))
