"""What trials decide: whether a part opens, a copy has learned, and a remedy helps."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any
from unittest.mock import MagicMock

import pytest
from torch import nn

from gradcheck_cli.records.choices import About, Decision, Severity
from gradcheck_cli.records.report import Opinion, Trial
from gradcheck_cli.trials import opinions
from gradcheck_cli.trials.learning import CopyLearning
from gradcheck_cli.trials.outcome import learned, measured_outcome, trained_outcome, trains_well
from gradcheck_cli.trials.participation import Opening
from gradcheck_cli.trials.training import PLAIN, Recipe
from tests.trials.test_outcome import SICK, number


@pytest.mark.parametrize(
    ("behind", "moved", "peers", "opens"),
    [
        (1.8, 0.0, 0.1, True),  # a hundredth of its peers' pace
        (2.2, 0.0, 0.1, False),
        (math.inf, 0.04, 0.1, True),  # a third of their way
        (math.inf, 0.025, 0.1, False),
        (math.inf, 0.12, 100.0, True),  # peers that start at next to 0
        (math.inf, 0.08, 100.0, False),
        (math.inf, 1.5e-3, 1.5e-3, True),
        (math.inf, 0.7e-3, 0.7e-3, False),  # nothing moves
    ],
)
def test_a_part_opens_by_its_gradient_or_by_its_way(behind: float, moved: float, peers: float, opens: bool) -> None:
    assert Opening(recipe=PLAIN[0], start=9.0, behind=behind, moved=moved, peers=peers).opens is opens


@pytest.mark.parametrize(("left", "told"), [(0.83, True), (0.87, False)])
def test_a_copy_has_learned_a_seventh_of_what_one_answer_costs(left: float, told: bool) -> None:
    assert learned((1.0, 1.0), (left, 1.0)) is told


@pytest.mark.parametrize(("by", "outcome"), [(0.4, "no-effect"), (0.6, "helps"), (-0.6, "worse")])
def test_a_number_moves_by_a_factor_of_three_to_count(by: float, outcome: str) -> None:
    assert measured_outcome(SICK, [SICK], [SICK], (number(8.0), number(8.0 - by)))[0] == outcome


@pytest.mark.parametrize(("share", "outcome"), [(0.985, "no-effect"), (0.97, "helps")])
def test_a_loss_falls_by_a_fiftieth_to_count(share: float, outcome: str) -> None:
    assert trained_outcome(1.0, share, start=1.0) == outcome


@pytest.mark.parametrize(("left", "outcome"), [(0.015, "no-effect"), (0.03, "helps")])
def test_below_a_fiftieth_of_the_start_all_is_learned(left: float, outcome: str) -> None:
    assert trained_outcome(left, left / 2, start=1.0) == outcome


@pytest.mark.parametrize(("share", "well"), [(0.77, True), (0.83, False)])
def test_training_confirms_a_remedy_that_saves_a_fifth_of_the_loss(share: float, well: bool) -> None:
    assert trains_well(Trial(outcome="helps", loss_without=1.0, loss_with=share)) is well


@pytest.mark.parametrize(("left", "decision"), [(0.993, Decision.CONFIRMED), (0.985, Decision.UNDECIDED)])
def test_a_model_without_one_of_its_parts_is_stuck_where_training_gains_no_hundredth(
    left: float, decision: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    def untreated(bench: Any, recipe: Recipe, start: tuple[float, float]) -> CopyLearning:
        return CopyLearning(recipe=recipe, start=start, end=(left, 1.0), loss=left)

    monkeypatch.setattr(opinions, "untreated", untreated)
    monkeypatch.setattr(opinions, "chance", lambda bench, step: (1.0, 1.0))
    decides = opinions.Opinions(MagicMock(recipes=PLAIN, model=nn.Identity()))
    doubted = replace(SICK, cause="not-in-loss", opinion=Opinion(about=About.WHOLE, severity=Severity.WARNING))
    found = decides.treated(decides.untreated(doubted), [])
    assert found.opinion is not None and found.opinion.decision is decision
