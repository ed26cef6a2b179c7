import math
from dataclasses import replace

import pytest

from gradcheck_cli.records.report import Trial
from gradcheck_cli.records.series import Series
from gradcheck_cli.reports.charts import HEIGHT, WIDTH, ledger_chart, profile_chart, series_charts, trial_bars
from gradcheck_cli.reports.style import Style
from tests.reports.examples import EXAMPLES, layer, report


def test_the_profile_spans_the_chart_from_input_to_loss() -> None:
    chart = profile_chart(report(layers=(layer("in", -4.0, "GC201"), layer("mid", -2.0), layer("out", 0.0))))
    assert chart is not None
    assert [(p.x, p.y, p.name) for p in chart.points] == [
        (0.0, HEIGHT, "in"),
        (WIDTH / 2, HEIGHT / 2, "mid"),
        (WIDTH, 0.0, "out"),
    ]
    assert chart.ticks == ((0.0, 0), (HEIGHT / 4, -1), (HEIGHT / 2, -2), (HEIGHT * 3 / 4, -3), (HEIGHT, -4))


def test_a_layer_without_a_gradient_breaks_the_line() -> None:
    values = (-1.0, -2.0, None, math.inf, -3.0)
    chart = profile_chart(report(layers=tuple(layer(str(i), None) for i in range(2))))
    assert chart is None
    broken = tuple(layer(str(i), None if v is None or math.isinf(v) else v) for i, v in enumerate(values))
    chart = profile_chart(report(layers=broken))
    assert chart is not None
    assert [[p.name for p in run] for run in chart.runs] == [["0", "1"], ["4"]]


def test_ill_layers_are_marked() -> None:
    chart = profile_chart(EXAMPLES["vanishing"]())
    assert chart is not None
    assert [p.name for p in chart.points if p.ill] == [f"layers.{i}" for i in range(6)]


def test_the_ledgers_bars_sum_to_the_decades_on_a_shared_scale() -> None:
    chart = ledger_chart(EXAMPLES["vanishing"](), Style())
    for row in chart.rows:
        assert row.layer is not None
        assert sum(part.decades for part in row.segments) == pytest.approx(row.layer.decades)
        assert sum(part.length for part in row.segments) == pytest.approx(100 * abs(row.layer.decades or 0) / 8.5)
    assert chart.zero == pytest.approx(100.0)
    assert chart.kinds == ((0, "activation"), (1, "weight"))


def test_gains_lie_right_of_zero_and_unknown_kinds_are_other() -> None:
    mixed = report(layers=(replace(layer("a", -1.0), by_kind={"weight": -3.0, "loss": 1.0, "odd": 1.0}),))
    chart = ledger_chart(mixed, Style())
    spans = {part.kind: (round(part.start, 6), round(part.length, 6)) for part in chart.rows[0].segments}
    assert chart.zero == pytest.approx(60.0)
    assert spans == {"weight": (0.0, 60.0), "loss": (60.0, 20.0), "other": (80.0, 20.0)}


def test_a_series_is_drawn_in_decades_and_zeros_break_it() -> None:
    one = Series(parameter=0, steps=4, norms=(1.0, 0.0, 1e-4, 1e-2), carry=(), horizon=1, attenuation=-1.0)
    ((_, chart),) = series_charts(report(series=(one,)), Style())
    assert [[p.decades for p in run] for run in chart.runs] == [[0.0], [pytest.approx(-4.0), pytest.approx(-2.0)]]


def test_equal_series_are_drawn_once_and_the_worst_first() -> None:
    assert len(series_charts(EXAMPLES["recurrent"](), Style(verbose=True))) == 1


@pytest.mark.parametrize(
    ("before", "after", "bars"),
    [
        (-8.0, -2.0, (("before", -8.0, 100.0), ("after", -2.0, 25.0))),
        (0.0, 0.0, (("before", 0.0, 0.0), ("after", 0.0, 0.0))),
        (None, -2.0, ()),
        (math.inf, 1.0, ()),
    ],
)
def test_trial_bars(before: float | None, after: float | None, bars: tuple[object, ...]) -> None:
    assert trial_bars(Trial(outcome="helps", before=before, after=after, unit="decades")) == bars


def test_a_ratio_is_drawn_by_its_decades() -> None:
    bars = trial_bars(Trial(outcome="fixed", before=1e8, after=100.0, unit="times the loss of guessing"))
    assert [length for _, _, length in bars] == pytest.approx([100.0, 25.0])
