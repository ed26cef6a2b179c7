"""Thresholds: one table of numbers, each with its rule, unit, bounds and meaning."""

from __future__ import annotations

import dataclasses

import pytest

from gradcheck_cli.records.thresholds import BOUNDS, TUNABLE, Thresholds
from gradcheck_cli.rules import EVERY_RULE


@pytest.mark.parametrize("name", BOUNDS)
def test_a_threshold_belongs_to_a_rule_and_lies_within_its_bounds(name: str) -> None:
    bounds = BOUNDS[name]
    assert bounds.rule in {rule.code for rule in EVERY_RULE}
    assert bounds.low <= getattr(Thresholds(), name) <= bounds.high
    assert bounds.movable == (bounds.low < bounds.high) == (name in TUNABLE)
    assert bounds.unit and bounds.meaning.endswith(".")


def test_the_table_holds_every_field() -> None:
    assert list(BOUNDS) == [field.name for field in dataclasses.fields(Thresholds)]
