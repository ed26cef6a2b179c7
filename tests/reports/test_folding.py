"""Which layers of a deep model get a row, whatever their number and their order."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.report import Layer
from gradcheck_cli.reports.folding import FITS, HEALTHY_ENDS, Fold, rows
from tests.reports.examples import finding, layer

SICK = (finding(("x",)),)
NOTED = (finding(("x",), code="GC402", severity=Severity.NOTE),)
STATUSES = ("ok", "GC201", "GC402", "frozen", "unused")


def layers_of(*statuses: str) -> tuple[Layer, ...]:
    return tuple(layer(f"layers.{i}", -0.1 * i, status) for i, status in enumerate(statuses))


def told(found: list[Layer | Fold]) -> list[str | int]:
    """Paths of the layers, and the number of layers in a fold."""
    return [row.count if isinstance(row, Fold) else int(row.path.rpartition(".")[2]) for row in found]


MANY = st.lists(st.sampled_from(STATUSES), max_size=60)


@given(statuses=MANY, verbose=st.booleans())
def test_no_layer_is_lost_and_the_order_is_from_the_last_to_the_first(statuses: list[str], verbose: bool) -> None:
    layers = layers_of(*statuses)
    expected = list(reversed(layers))
    for row in rows(layers, SICK, verbose):
        if isinstance(row, Fold):
            folded, expected = expected[: row.count], expected[row.count :]
            assert dict(row.statuses) == {s: [x.status for x in folded].count(s) for s in {x.status for x in folded}}
            assert (row.lowest, row.highest) == (min(x.decades for x in folded), max(x.decades for x in folded))
        else:
            assert row is expected.pop(0)
    assert expected == []


@given(statuses=MANY)
def test_with_verbose_or_few_layers_each_has_its_own_row(statuses: list[str]) -> None:
    layers = layers_of(*statuses)
    assert rows(layers, SICK, verbose=True) == list(reversed(layers))
    assert rows(layers[:FITS], SICK, verbose=False) == list(reversed(layers[:FITS]))


@given(statuses=st.lists(st.sampled_from(STATUSES), min_size=FITS + 1, max_size=60))
def test_a_fold_stands_for_two_layers_or_more_and_never_beside_another(statuses: list[str]) -> None:
    found = rows(layers_of(*statuses), SICK, verbose=False)
    folds = [isinstance(row, Fold) for row in found]
    assert not any(one and other for one, other in itertools.pairwise(folds))
    assert all(row.count >= 2 for row in found if isinstance(row, Fold))


@given(statuses=st.lists(st.sampled_from(STATUSES), min_size=FITS + 1, max_size=60))
def test_sick_layers_are_shown_all_where_they_are_few_and_one_of_each_kind_where_not(statuses: list[str]) -> None:
    layers = layers_of(*statuses)
    sick = [one for one in layers if one.status == "GC201"]
    shown = [row for row in rows(layers, SICK, verbose=False) if isinstance(row, Layer)]
    if len(sick) <= FITS:
        assert all(any(one is row for row in shown) for one in sick)
    else:
        for one in (*sick[:2], *sick[-2:]):
            assert any(one is row for row in shown)


def test_a_healthy_model_shows_both_its_ends() -> None:
    found = rows(layers_of(*["ok"] * 100), (), verbose=False)
    assert told(found) == [99, 98, 97, 100 - 2 * HEALTHY_ENDS, 2, 1, 0]


def test_a_sick_model_shows_its_sick_layers_and_one_at_each_end() -> None:
    found = rows(layers_of(*["ok"] * 50, "GC201", *["ok"] * 49), SICK, verbose=False)
    assert told(found) == [99, 48, 50, 49, 0]


def test_many_sick_layers_show_two_at_each_end() -> None:
    found = rows(layers_of(*["ok"] * 10, *["GC201"] * 30, *["ok"] * 10), SICK, verbose=False)
    assert told(found) == [49, 9, 39, 38, 26, 11, 10, 9, 0]


def test_each_kind_of_sickness_keeps_a_layer_of_its_own() -> None:
    findings = (*SICK, finding(("x",), code="GC206"))
    found = rows(layers_of(*["GC201"] * 15, "GC206", *["GC201"] * 15), findings, verbose=False)
    assert 15 in told(found)


def test_a_note_makes_no_layer_sick() -> None:
    found = rows(layers_of(*["ok"] * 10, "GC402", *["ok"] * 10), NOTED, verbose=False)
    assert told(found) == [20, 19, 18, 15, 2, 1, 0]


@pytest.mark.parametrize("decades", [None, math.nan, math.inf, -math.inf])
def test_a_fold_of_layers_that_cannot_be_placed_has_no_range(decades: float | None) -> None:
    layers = tuple(replace(one, decades=decades) for one in layers_of(*["ok"] * 20))
    (fold,) = [row for row in rows(layers, (), verbose=False) if isinstance(row, Fold)]
    assert (fold.lowest, fold.highest, fold.count) == (None, None, 14)
