import dataclasses
import json
import re

import pytest
from hypothesis import given, settings
from rich.cells import cell_len

from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.reports import COMPARING, Style, render
from gradcheck_cli.reports.comparison import ReportComparison, compare, compare_checks
from tests.reports.examples import SUITES, finding, healthy, layer, nan, report, suite_of, vanishing
from tests.reports.golden import compare as compare_golden
from tests.reports.hostile import suites

NAMES = ("main.json", "branch.json")


def better() -> Report:
    before = vanishing()
    layers = tuple(
        dataclasses.replace(one, decades=None if one.path == "layers.3" else (one.decades or 0) / 4)
        for one in before.layers
    )
    found = (finding(("head",), code="GC206", rule="saturated-layer"), finding(("layers.1",)))
    return dataclasses.replace(before, layers=layers, findings=found)


def later() -> SuiteReport:
    kept = [
        dataclasses.replace(better(), name=one.name) if "deep" in one.name else one for one in SUITES["mixed"]().checks
    ]
    return suite_of(*kept[:-3], dataclasses.replace(nan(), name="new_check"), *kept[-2:])


def two_suites() -> ReportComparison:
    return compare(SUITES["mixed"](), later(), NAMES)


@pytest.mark.parametrize("width", [80, 120])
def test_comparisontable(width: int) -> None:
    compare_golden(f"test_comparisontable-{width}", render(two_suites(), "table", Style(width=width)))


def test_comparison_markdown() -> None:
    compare_golden("test_comparison_markdown", render(two_suites(), "markdown"), "md")


def test_findings_are_compared_by_code_and_layer() -> None:
    made = compare_checks(vanishing(), better())
    assert [(one.code, one.layers) for one in made.new] == [("GC206", ("head",))]
    assert [(one.code, one.layers) for one in made.still] == [("GC201", ("layers.1",))]
    assert [(one.code, one.layers) for one in made.fixed] == [("GC201", tuple(f"layers.{i}" for i in (0, 2, 3, 4, 5)))]


def test_a_finding_without_layers_is_compared_by_code() -> None:
    clipped = report(findings=(dataclasses.replace(finding(("a",)), layers=()),))
    assert compare_checks(clipped, clipped).still[0].layers == ()
    assert compare_checks(healthy(), clipped).new[0].code == "GC201"


def test_moves_are_in_decades() -> None:
    before = report(
        layers=(layer("a", -8.0), layer("b", -1.0), layer("c", -1.0), layer("gone", -1.0), layer("d", None))
    )
    after = report(layers=(layer("a", -2.0), layer("b", -1.0), layer("c", None), layer("come", -3.0), layer("d", -1.0)))
    moves = {one.layer: (one.before, one.after, one.moved) for one in compare_checks(before, after).moves}
    assert moves == {"a": (-8.0, -2.0, 6.0), "c": (-1.0, None, None), "d": (None, -1.0, None)}


@pytest.mark.parametrize("make", [vanishing, healthy, nan])
def test_a_run_compared_with_itself_has_not_changed(make) -> None:
    made = compare(make(), make(), NAMES)
    assert not made.checks[0].changed
    assert made.checks[0].moves == made.checks[0].new == made.checks[0].fixed == ()
    assert "0 new, 0 fixed" in render(made, "table")


def test_json_is_strict_and_complete() -> None:
    data = json.loads(render(two_suites(), "json"), parse_constant=pytest.fail)
    assert list(data) == ["schema", "before", "after", "checks"]
    assert data["schema"] == "gradcheck-comparison/1"
    by_name = {one["name"]: one for one in data["checks"]}
    assert by_name["new_check"]["before"] == ""
    assert by_name["log_loss"]["after"] == ""
    assert list(by_name)[:2] == [one.name for one in SUITES["mixed"]().checks][:2]


def test_verbose_shows_every_check_and_move() -> None:
    quiet, verbose = (render(two_suites(), "table", Style(width=120, verbose=v)) for v in (False, True))
    assert "smaller moves" in quiet
    assert "without a change" in quiet
    assert "smaller moves" not in verbose
    assert "without a change" not in verbose


def test_a_report_is_not_compared_with_a_suite() -> None:
    with pytest.raises(TypeError, match="suite"):
        compare(vanishing(), SUITES["well"](), NAMES)


@settings(max_examples=40, deadline=None)
@given(suites(), suites())
def test_hostile_words_stay_words(before: SuiteReport, after: SuiteReport) -> None:
    made = compare(before, after, ("a\x1b|`", "b\n<b>"))
    for format in COMPARING:
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e\ud800-\udfff]", render(made, format))
    for width in (20, 40, 80):
        lines = render(made, "table", Style(width=width, unicode=False)).splitlines()
        assert max(cell_len(line) for line in lines) <= width
