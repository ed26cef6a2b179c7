"""What a row of the catalogue is made of."""

from __future__ import annotations

from typing import Any

import pytest

from gradcheck_cli.records.report import Remedy, Trial
from gradcheck_cli.records.traits import Trait
from gradcheck_cli.remedies.row import RemedyRow, TrialKind, remedy


def row(causes: str, tried: TrialKind = TrialKind.BY_HAND) -> RemedyRow:
    return remedy(
        "relu", "ReLU", "Its slope is 1.", "nn.ReLU()", causes=causes, unless="never", source="x", tried=tried
    )


@pytest.mark.parametrize(
    ("causes", "places"),
    [
        ("depth:5", {"depth": 5}),
        ("saturating-activation:1 depth:5", {"saturating-activation": 1, "depth": 5}),
        ("depth:1 \n small-init:10", {"depth": 1, "small-init": 10}),
        ("", {}),
    ],
)
def test_causes_are_read_with_their_places(causes: str, places: dict[str, int]) -> None:
    assert row(causes).causes == places


@pytest.mark.parametrize("causes", ["depth", "depth:", "depth:first", "depth:1:2"])
def test_a_cause_without_a_place_is_a_mistake(causes: str) -> None:
    with pytest.raises(ValueError, match=r"unpack|invalid literal"):
        row(causes)


def test_the_words_of_a_remedy_are_those_of_its_row() -> None:
    assert row("depth:1").remedy == Remedy(
        id="relu", title="ReLU", detail="Its slope is 1.", code="nn.ReLU()", unless="never", source="x", trial=Trial()
    )


@pytest.mark.parametrize("tried", TrialKind)
def test_how_it_is_tried_is_up_to_the_user_unless_it_is_said(tried: TrialKind) -> None:
    assert row("depth:1", tried).tried is tried
    plain = remedy("relu", "ReLU", "Its slope is 1.", causes="", unless="never", source="x")
    assert (plain.tried, plain.remedy.code) == (TrialKind.BY_HAND, "")


def conditional(**conditions: Any) -> RemedyRow:
    return remedy("relu", "ReLU", "Its slope is 1.", "a", causes="depth:1", unless="never", source="x", **conditions)


@pytest.mark.parametrize(
    ("conditions", "applies"),
    [
        ({}, True),
        ({"needs": "residual"}, True),
        ({"needs": "softmax"}, False),
        ({"needs": "softmax|residual"}, True),
        ({"needs": "residual softmax"}, False),
        ({"needs": "small-init:softmax"}, True),
        ({"needs": "depth:softmax"}, False),
        ({"never": "residual"}, False),
        ({"never": "softmax"}, True),
        ({"never": "small-init:residual"}, True),
        ({"never": "depth:softmax|residual"}, False),
    ],
)
def test_a_condition_is_met_by_what_the_model_has(conditions: dict[str, str], applies: bool) -> None:
    assert conditional(**conditions).applies("depth", frozenset((Trait.RESIDUAL,))) is applies


def test_a_trait_that_there_is_none_of_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="WINGS"):
        conditional(needs="wings")


def test_the_line_to_paste_is_the_one_for_the_model() -> None:
    made = conditional(codes={"softmax|residual": "b", "binary": "c"})
    codes = [made.worded(frozenset(traits)).code for traits in ((), (Trait.RESIDUAL, Trait.BINARY), (Trait.BINARY,))]
    assert codes == ["a", "b", "c"]
